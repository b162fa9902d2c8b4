//! Which columns there are, how wide, and where that puts them.
//!
//! Invariant: both sides have the same columns at the same widths. No point is left empty: the names take what the
//! others leave; if that is less than a name needs, both sides scroll across together, so nothing is out of reach. What
//! is left out for lack of room can be told. This module must not know rows.

use egui::{Rangef, Rect, pos2};
use fcs_engine::compare::Side;
use fcs_gui_model::Field;

use super::HEAD;

/// The thickness of a scroll bar with its margins.
pub const BAR: f32 = 14.0;
/// Between the sides, where the verdict's glyph stands.
pub const GUTTER: f32 = 40.0;
/// No column is narrower.
pub(super) const MIN: f32 = 36.0;
/// The column of names is not made narrower than this to make room for others.
const MIN_NAME: f32 = 220.0;
/// Names that lie deeper need more: so much for each level, up to the tenth.
const LEVEL: f32 = 12.0;
/// Nor than this for dates created, which hardly anyone looks at.
const GOOD_NAME: f32 = 320.0;

/// The widths of the columns in points, in the order of [`Field::ALL`], the same for both sides. `None` is what the
/// table thinks right. Names have what the other columns leave, and never less than the width they were given.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Widths(pub [Option<f32>; Field::ALL.len()]);

/// Which of the columns that can be hidden are shown; `None` is what the table thinks right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShownColumns {
    /// Created times; by itself where there is room for them.
    pub created: Option<bool>,
    /// Digests; by itself where a comparison has any.
    pub digest: Option<bool>,
    /// The words of the verdict; by itself where there is room for them. Its glyph is always there.
    pub status: Option<bool>,
}

/// What the width of columns depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    /// There are digests.
    pub(super) digests: bool,
    /// Decimals of seconds that dates are shown with.
    pub(super) decimals: usize,
    /// How deep the tree is.
    pub(super) depth: usize,
}

/// Where everything is in a frame.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    /// The whole table.
    pub(super) outer: Rect,
    /// The rows, without scroll bars.
    pub(super) body: Rect,
    /// What a side has of the body.
    pub(super) panes: [Rect; 2],
    /// What is between them.
    pub(super) gutter: Rect,
    /// The side that is shown alone; the other's pane and what is between them are empty.
    only: Option<Side>,
    /// The columns of a side and where they begin and end, from the pane's left edge when nothing is scrolled across.
    pub(super) columns: Vec<(Field, Rangef)>,
    /// Columns that are left out only because there is no room for them.
    pub(super) left_out: Vec<Field>,
    /// How far both sides are scrolled across.
    pub(super) across: f32,
}

impl Geometry {
    pub(super) fn new(
        outer: Rect,
        (widths, shown, only): (&Widths, ShownColumns, Option<Side>),
        content: Content,
        across: &mut f32,
    ) -> Self {
        let right = outer.right() - BAR;
        let pane = match only {
            None => ((right - outer.left() - GUTTER) / 2.0).floor().max(MIN),
            Some(_) => (right - outer.left()).max(MIN),
        };
        let (columns, left_out) = columns(pane, widths, shown, content);
        let content = columns.last().map_or(0.0, |(_, range)| range.max);
        // Half a point more is rounding.
        let bar = if content > pane + 0.5 { BAR } else { 0.0 };
        let (top, bottom) = (outer.top() + HEAD, (outer.bottom() - bar).max(outer.top() + HEAD));
        let part = |from: f32, to: f32| Rect::from_min_max(pos2(from, top), pos2(to, bottom));
        let middle = outer.left() + pane;
        let nothing = part(right, right);
        let (panes, gutter) = match only {
            None => {
                let panes = [part(outer.left(), middle), part(middle + GUTTER, right)];
                (panes, part(middle, middle + GUTTER))
            }
            Some(Side::Left) => ([part(outer.left(), right), nothing], nothing),
            Some(Side::Right) => ([nothing, part(outer.left(), right)], nothing),
        };
        let body = part(outer.left(), right);
        let mut geometry = Self { outer, body, panes, gutter, only, columns, left_out, across: 0.0 };
        *across = across.clamp(0.0, geometry.across_max());
        geometry.across = *across;
        geometry
    }

    /// The sides that are shown.
    pub(super) fn sides(&self) -> &'static [Side] {
        match self.only {
            None => &[Side::Left, Side::Right],
            Some(Side::Left) => &[Side::Left],
            Some(Side::Right) => &[Side::Right],
        }
    }

    /// How wide the columns of a side are.
    pub(super) fn content(&self) -> f32 {
        self.columns.last().map_or(0.0, |(_, range)| range.max)
    }

    /// How far both sides can be scrolled across. The narrower pane counts, so that its last column can be reached.
    pub(super) fn across_max(&self) -> f32 {
        let widths = self.sides().iter().map(|&side| self.panes[side as usize].width());
        (self.content() - widths.fold(f32::INFINITY, f32::min)).max(0.0)
    }

    /// Where a column is on a side, as far down as `height` goes.
    pub(super) fn cell(&self, side: Side, column: usize, height: Rangef) -> Rect {
        let left = self.panes[side as usize].left() - self.across;
        let range = self.columns[column].1;
        Rect::from_x_y_ranges(left + range.min..=left + range.max, height)
    }

    /// The side at a point, the left one's for the left half of what is between them.
    pub(super) fn side(&self, x: f32) -> Side {
        self.only.unwrap_or(if x < self.gutter.center().x { Side::Left } else { Side::Right })
    }

    /// The side and column at a point.
    pub(super) fn hit(&self, x: f32) -> Option<(Side, Field)> {
        let side =
            self.sides().iter().copied().find(|&side| self.panes[side as usize].x_range().contains(x))?;
        let at = x - self.panes[side as usize].left() + self.across;
        let (field, _) = self.columns.iter().find(|(_, range)| range.contains(at))?;
        Some((side, *field))
    }
}

/// The columns, and which of them are left out for lack of room.
fn columns(
    pane: f32,
    widths: &Widths,
    shown: ShownColumns,
    Content { digests, decimals, depth }: Content,
) -> (Vec<(Field, Rangef)>, Vec<Field>) {
    // What is not asked for makes room for names: dates created first, then digests, the verdict's words last.
    let asked = |created: bool, digest: bool, status: bool| {
        let digest = shown.digest.unwrap_or(digest && digests);
        (shown.created.unwrap_or(created), digest, shown.status.unwrap_or(status))
    };
    let names = MIN_NAME + LEVEL * depth.min(10) as f32;
    let tries = [
        (asked(true, true, true), GOOD_NAME.max(names)),
        (asked(false, true, true), names),
        (asked(false, false, true), names),
        (asked(false, false, false), MIN_NAME),
    ];
    // A width given to names scrolls across; it is no reason to leave columns out.
    let mut free = *widths;
    free.0[Field::Name as usize] = None;
    let fits = |&(what, names): &((bool, bool, bool), f32)| {
        let columns = set(pane, &free, what, decimals, names);
        columns.last().is_none_or(|(_, range)| range.max <= pane + 0.5)
    };
    let [all, .., fewest] = tries;
    let what = tries.into_iter().find(fits).unwrap_or(fewest).0;
    let made = |what| set(pane, widths, what, decimals, MIN_NAME);
    let (found, all) = (made(what), made(all.0));
    let has = |columns: &[(Field, Rangef)], field| columns.iter().any(|(shown, _)| *shown == field);
    let left_out = Field::ALL.into_iter().filter(|&field| has(&all, field) && !has(&found, field)).collect();
    (found, left_out)
}

fn set(
    pane: f32,
    widths: &Widths,
    (created, digests, status): (bool, bool, bool),
    decimals: usize,
    least: f32,
) -> Vec<(Field, Rangef)> {
    let is_shown = |field: &Field| match field {
        Field::Created => created,
        Field::Digest => digests,
        Field::Status => status,
        Field::Name | Field::Size | Field::Modified => true,
    };
    let width = |field: Field| widths.0[field as usize].unwrap_or_else(|| usual(field, decimals)).max(MIN);
    let fields: Vec<Field> = Field::ALL.into_iter().filter(is_shown).collect();
    let others: f32 = fields.iter().filter(|field| **field != Field::Name).map(|field| width(*field)).sum();
    // A width given to names is the least they have: points that nobody else needs would only be empty.
    let names = (pane - others).max(widths.0[Field::Name as usize].map_or(least, |width| width.max(MIN)));
    let mut at = 0.0;
    let place = |field| {
        let from = at;
        at += if field == Field::Name { names } else { width(field) };
        (field, Rangef::new(from, at))
    };
    fields.into_iter().map(place).collect()
}

/// What a column needs; measured with the fonts and sizes that it is drawn with.
fn usual(field: Field, decimals: usize) -> f32 {
    match field {
        Field::Name => MIN_NAME,
        Field::Size => 80.0,
        Field::Created => 146.0 + 7.6 * decimals as f32 + if decimals > 0 { 4.0 } else { 0.0 },
        // The newer side's is bold.
        Field::Modified => 151.0 + 8.2 * decimals as f32 + if decimals > 0 { 4.0 } else { 0.0 },
        Field::Digest => 152.0,
        Field::Status => 124.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ShownColumns = ShownColumns { created: Some(true), digest: Some(true), status: Some(true) };

    fn geometry(width: f32, widths: &Widths, across: &mut f32) -> Geometry {
        shown(width, widths, ALL, across)
    }

    fn shown(width: f32, widths: &Widths, shown: ShownColumns, across: &mut f32) -> Geometry {
        let outer = Rect::from_min_max(pos2(0.0, 0.0), pos2(width, 300.0));
        Geometry::new(outer, (widths, shown, None), Content { digests: true, decimals: 0, depth: 0 }, across)
    }

    /// Case V6.
    #[test]
    fn names_take_what_is_left_also_when_they_were_given_a_width() {
        let wide = geometry(2000.0, &Widths::default(), &mut 0.0);
        assert!((wide.content() - wide.panes[0].width()).abs() < 1.0 && wide.across_max() < 1.0);
        let mut widths = Widths::default();
        widths.0[Field::Name as usize] = Some(250.0);
        let given = geometry(2000.0, &widths, &mut 0.0);
        assert!((given.content() - given.panes[0].width()).abs() < 1.0, "no point is empty");
        widths.0[Field::Name as usize] = Some(900.0);
        let given = geometry(1280.0, &widths, &mut 0.0);
        assert!((given.columns[0].1.span() - 900.0).abs() < 0.01 && given.across_max() > 0.0);
    }

    #[test]
    fn in_a_narrow_table_the_last_column_of_both_sides_can_be_reached() {
        let mut across = 1e9;
        let narrow = geometry(800.0, &Widths::default(), &mut across);
        assert!(across > 0.0 && narrow.body.bottom() < 300.0, "room for a bar");
        for side in [Side::Left, Side::Right] {
            let last = narrow.cell(side, narrow.columns.len() - 1, narrow.body.y_range());
            assert!(last.right() <= narrow.panes[side as usize].right() + 1.0, "{side:?}");
            let at = narrow.hit(last.center().x);
            assert_eq!(at, Some((side, Field::Status)));
        }
        assert_eq!(narrow.hit(narrow.gutter.center().x), None);
    }

    #[test]
    fn columns_that_nobody_asked_for_make_room_for_names() {
        let fields = |width, asked| {
            let geometry = shown(width, &Widths::default(), asked, &mut 0.0);
            geometry.columns.iter().map(|(field, _)| *field).collect::<Vec<_>>()
        };
        let auto = ShownColumns::default();
        assert_eq!(fields(2400.0, auto), Field::ALL);
        let middle = fields(1700.0, auto);
        assert!(!middle.contains(&Field::Created) && middle.contains(&Field::Status), "{middle:?}");
        // Case V6: at the usual size digests make room for the verdict's words, and not the other way round.
        let usual = shown(1252.0, &Widths::default(), auto, &mut 0.0);
        let there: Vec<Field> = usual.columns.iter().map(|(field, _)| *field).collect();
        assert_eq!(there, [Field::Name, Field::Size, Field::Modified, Field::Status]);
        assert_eq!(usual.left_out, [Field::Created, Field::Digest], "and it can be told");
        let deep = Content { digests: false, decimals: 0, depth: 8 };
        let outer = Rect::from_min_max(pos2(0.0, 0.0), pos2(1252.0, 300.0));
        let deep = Geometry::new(outer, (&Widths::default(), auto, None), deep, &mut 0.0);
        assert!(deep.columns[0].1.span() > 340.0, "names first: {:?}", deep.columns);
        assert_eq!(deep.left_out, [Field::Created, Field::Status]);
        let narrow = fields(1000.0, auto);
        assert!(!narrow.contains(&Field::Created) && !narrow.contains(&Field::Status), "{narrow:?}");
        assert_eq!(fields(1000.0, ALL), Field::ALL, "what is asked for stays");
    }
}
