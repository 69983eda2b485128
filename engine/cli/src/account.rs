//! Who is at the terminal.

/// The account's name: `USER`, `LOGNAME`, or what the system calls the user; empty where nobody says.
pub fn name() -> String {
    let said = ["USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.trim().is_empty());
    said.or_else(|| Some(nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??.name))
        .unwrap_or_default()
}
