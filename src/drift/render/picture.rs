//! A picture of the gap: upstream's commits week by week, those that touch this environment set apart.

use crate::drift::model::Week;
use jiff::civil::Date;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 122.0;
const BASE: f64 = 120.0;

/// An SVG drawing; nothing when there are no commits. Colours come from the page, so that it prints and inverts well.
pub(super) fn picture(weeks: &[Week]) -> Option<String> {
    let (first, last) = (weeks.first()?, weeks.last()?);
    let start: Date = first.monday.parse().ok()?;
    let place = |week: &Week| -> Option<i32> { Some((week.monday.parse::<Date>().ok()? - start).get_days() / 7) };
    let slots = f64::from(place(last)? + 1);
    let most = weeks.iter().map(|week| week.commits).max().unwrap_or(1).max(1);
    let step = (WIDTH / slots).min(60.0);
    let bar = (step * 0.8).max(1.0);
    let height = |commits: usize| {
        f64::from(u32::try_from(commits).unwrap_or(u32::MAX)) / f64::from(u32::try_from(most).unwrap_or(u32::MAX))
            * (BASE - 4.0)
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Commits of upstream by week\"><title>Commits of upstream by week</title>"
    );
    for week in weeks {
        let x = f64::from(place(week)?) * step;
        let title = format!("week of {}: {} commits, {} used here", week.monday, week.commits, week.relevant);
        for (class, commits) in [("all", week.commits), ("used", week.relevant)] {
            let tall = height(commits);
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{tall:.1}\"><title>{title}</title></rect>",
                BASE - tall
            );
        }
    }
    let _ = write!(svg, "<line x1=\"0\" y1=\"{BASE}\" x2=\"{WIDTH}\" y2=\"{BASE}\"/></svg>");
    // The words stand below the drawing: inside it they would shrink with it on a phone.
    let _ = write!(svg, "<p class=\"axis\"><span>{}</span><span>most in a week: {most}</span>", first.monday);
    let _ = write!(svg, "<span>{}</span></p>", last.monday);
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_without_commits_leaves_a_hole() {
        let week = |monday: &str, commits, relevant| Week { monday: monday.into(), commits, relevant };
        let svg = picture(&[week("2024-01-01", 10, 2), week("2024-01-15", 5, 0)]).unwrap();
        assert!(svg.contains("x=\"120.0\""), "the second bar stands in the third slot: {svg}");
        assert_eq!(svg.matches("class=\"used\"").count(), 2);
        assert_eq!(picture(&[]), None);
    }
}
