//! What a site's `robots.txt` allows.

use texting_robots::Robot;

/// Longer rules are cut, as the standard allows.
const LONGEST: usize = 500 * 1024;

/// A site's rules.
pub struct Rules(Option<Robot>);

impl Rules {
    /// From the file's bytes; one that cannot be read allows all.
    pub fn parse(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        Self(Robot::new("twinloom", bytes).ok())
    }

    /// Without rules.
    pub fn all() -> Self {
        Self(None)
    }

    /// Whether an address may be asked.
    pub fn allow(&self, address: &str) -> bool {
        self.0.as_ref().is_none_or(|rules| rules.allowed(address))
    }
}
