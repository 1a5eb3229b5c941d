//! Names that come near one that does not exist.

/// The names nearest to `wanted`, nearest first, at most `limit`, none that have little to do with it.
pub(super) fn nearest(wanted: &str, names: impl IntoIterator<Item = String>, limit: usize) -> Vec<String> {
    let mut ranked: Vec<(usize, String)> = names
        .into_iter()
        .filter_map(|name| {
            let distance = distance(wanted, &name);
            let contained = name.contains(wanted) || wanted.contains(&name);
            (contained || distance <= wanted.len().max(3) / 3 + 1).then_some((distance, name))
        })
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked.into_iter().take(limit).map(|(_, name)| name).collect()
}

/// How many characters must be added, removed or replaced to make one of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, wanted) in left.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, found) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(wanted != *found);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first_and_strangers_are_left_out() {
        let names = ["main", "mains", "resync_sqre", "tickets/DM-1"].map(str::to_owned);
        assert_eq!(nearest("maim", names.clone(), 5), ["main", "mains"]);
        assert_eq!(nearest("DM-1", names.clone(), 5), ["tickets/DM-1"]);
        assert_eq!(nearest("resync-sqre", names, 5), ["resync_sqre"]);
    }

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
