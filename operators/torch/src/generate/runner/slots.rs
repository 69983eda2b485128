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
        match self.held.iter_mut().enumerate().find(|(_, held)| held.is_none()) {
            Some((at, held)) => {
                *held = Some(value);
                at
            }
            None => {
                self.held.push(Some(value));
                self.held.len() - 1
            }
        }
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
