//! A list whose places are used again.

/// Values by place.
#[derive(Debug)]
pub struct Slots<T> {
    held: Vec<Option<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { held: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts a value at the first free place.
    pub fn put(&mut self, value: T) -> usize {
        let at = self.next();
        match self.held.get_mut(at) {
            Some(held) => *held = Some(value),
            None => self.held.push(Some(value)),
        }
        at
    }

    /// The place that the next value gets.
    pub fn next(&self) -> usize {
        let free = self.held.iter().position(Option::is_none);
        free.unwrap_or(self.held.len())
    }

    /// Places up to the last that is taken.
    pub fn extent(&self) -> usize {
        self.held.iter().rposition(Option::is_some).map_or(0, |at| at + 1)
    }

    pub fn get(&self, at: usize) -> Option<&T> {
        self.held.get(at)?.as_ref()
    }

    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.held.get_mut(at)?.as_mut()
    }

    pub fn each<'a>(&'a self, work: impl FnMut(&'a T)) {
        self.held.iter().flatten().for_each(work);
    }

    pub fn take(&mut self, at: usize) -> Option<T> {
        self.held.get_mut(at)?.take()
    }
}
