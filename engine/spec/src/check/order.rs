//! The order of steps, and circles among them.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Indices in an order where each comes after those it depends on, the smaller index first where both may come.
/// Where that cannot be, one circle: each waits for the next, the last for the first.
pub(crate) fn topological(dependencies: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut dependents = vec![Vec::new(); dependencies.len()];
    let mut open: Vec<usize> = dependencies.iter().map(Vec::len).collect();
    for (index, needs) in dependencies.iter().enumerate() {
        for &need in needs {
            dependents[need].push(index);
        }
    }
    let mut ready: BinaryHeap<_> = open
        .iter()
        .enumerate()
        .filter(|(_, open)| **open == 0)
        .map(|(at, _)| Reverse(at))
        .collect();
    let mut order = Vec::with_capacity(dependencies.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &dependent in &dependents[index] {
            open[dependent] -= 1;
            if open[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    if order.len() == dependencies.len() {
        Ok(order)
    } else {
        Err(circle(dependencies, &open))
    }
}

/// Walks along unmet dependencies until a step comes again: every step left over has one.
fn circle(dependencies: &[Vec<usize>], open: &[usize]) -> Vec<usize> {
    let left = |index: &usize| open[*index] > 0;
    let mut seen = vec![usize::MAX; dependencies.len()];
    let mut path = Vec::new();
    let mut next = (0..dependencies.len()).find(left);
    while let Some(index) = next {
        if seen[index] != usize::MAX {
            return path.split_off(seen[index]);
        }
        seen[index] = path.len();
        path.push(index);
        next = dependencies[index].iter().copied().find(left);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_circles() {
        assert_eq!(topological(&[vec![2], vec![], vec![1]]), Ok(vec![1, 2, 0]));
        assert_eq!(topological(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
        assert_eq!(topological(&[vec![0]]), Err(vec![0]));
        // 3 waits for the circle of 0, 1 and 2 without being in it.
        assert_eq!(
            topological(&[vec![1], vec![2], vec![0], vec![0]]),
            Err(vec![0, 1, 2])
        );
    }
}
