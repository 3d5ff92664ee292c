//! What the mouse does to an item on the picture: places in, places out. Pixels of the canvas; no browser in it.

use skylark_protocol::studio::{Canvas, Crop, Item, Rect};

/// The smallest side that the mouse makes, pixels.
const MIN_SIDE: i32 = 8;

/// What is taken hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grip {
    /// The whole item.
    Inside,
    /// An edge or a corner: −1 left or top, 1 right or bottom, 0 neither.
    Edge(i8, i8),
}

impl Grip {
    /// The eight handles, clockwise from the upper left corner.
    pub(super) const HANDLES: [(i8, i8); 8] = [(-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0)];
}

/// An item's place and crop while it is dragged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) place: Rect,
    pub(super) crop: Crop,
}

impl Shape {
    pub(super) fn of(item: &Item) -> Self {
        Self { place: item.place, crop: item.crop }
    }
}

/// How the mouse is to be understood.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keys {
    /// Corners move freely instead of keeping the proportions.
    pub(super) is_free: bool,
    /// Edges cut instead of scaling.
    pub(super) crops: bool,
    /// Nothing snaps.
    pub(super) is_exact: bool,
}

/// What a dragged item snaps to.
#[derive(Debug, Clone, Default)]
pub(super) struct Magnets {
    across: Vec<i32>,
    down: Vec<i32>,
    reach: i32,
}

impl Magnets {
    /// Edges and centre of the canvas, and of other items; `reach` is how near is near, pixels.
    pub(super) fn new(canvas: Canvas, others: &[Rect], reach: i32) -> Self {
        let mut magnets = Self { across: Vec::new(), down: Vec::new(), reach };
        for rect in others.iter().copied().chain([canvas.whole()]) {
            let (width, height) = (rect.width.cast_signed(), rect.height.cast_signed());
            magnets.across.extend([rect.x, rect.x + width / 2, rect.x + width]);
            magnets.down.extend([rect.y, rect.y + height / 2, rect.y + height]);
        }
        magnets
    }

    /// How far the nearest magnet is from the nearest of `points`, if one is near.
    fn pull(lines: &[i32], points: &[i32], reach: i32) -> Option<i32> {
        let distances = points.iter().flat_map(|point| lines.iter().map(move |line| line - point));
        distances.filter(|distance| distance.abs() <= reach).min_by_key(|distance| distance.abs())
    }

    fn across(&self, points: &[i32]) -> i32 {
        Self::pull(&self.across, points, self.reach).unwrap_or(0)
    }

    fn down(&self, points: &[i32]) -> i32 {
        Self::pull(&self.down, points, self.reach).unwrap_or(0)
    }
}

/// The item after the mouse went `(dx, dy)` from where it took hold. `source` is the size of the source's picture, pixels;
/// without it nothing can be cut.
pub(super) fn dragged(
    start: Shape,
    grip: Grip,
    (dx, dy): (i32, i32),
    keys: Keys,
    magnets: &Magnets,
    source: Option<(u32, u32)>,
) -> Shape {
    match (grip, source) {
        (Grip::Inside, _) => Shape { place: moved(start.place, dx, dy, keys, magnets), ..start },
        (Grip::Edge(h, v), Some(source)) if keys.crops => cropped(start, (h, v), (dx, dy), source),
        (Grip::Edge(h, v), _) => Shape { place: scaled(start.place, (h, v), (dx, dy), keys, magnets), ..start },
    }
}

fn moved(start: Rect, dx: i32, dy: i32, keys: Keys, magnets: &Magnets) -> Rect {
    let (mut x, mut y) = (start.x + dx, start.y + dy);
    if !keys.is_exact {
        let (width, height) = (start.width.cast_signed(), start.height.cast_signed());
        x += magnets.across(&[x, x + width / 2, x + width]);
        y += magnets.down(&[y, y + height / 2, y + height]);
    }
    Rect { x, y, ..start }
}

fn scaled(start: Rect, (h, v): (i8, i8), (dx, dy): (i32, i32), keys: Keys, magnets: &Magnets) -> Rect {
    let (left, top) = (start.x, start.y);
    let (right, bottom) = (left + start.width.cast_signed(), top + start.height.cast_signed());
    // Where the edges that are held would be.
    let held = |hold: i8, low: i32, high: i32, by: i32, pull: &dyn Fn(&[i32]) -> i32| {
        let at = if hold < 0 { low + by } else { high + by };
        let at = if keys.is_exact { at } else { at + pull(&[at]) };
        if hold < 0 { high - at } else { at - low }
    };
    let mut width = if h == 0 { right - left } else { held(h, left, right, dx, &|p| magnets.across(p)) };
    let mut height = if v == 0 { bottom - top } else { held(v, top, bottom, dy, &|p| magnets.down(p)) };
    (width, height) = (width.max(MIN_SIDE), height.max(MIN_SIDE));
    if h != 0 && v != 0 && !keys.is_free {
        // The side that grew more, in proportion, leads.
        let by_width = f64::from(width) / f64::from(start.width);
        let by_height = f64::from(height) / f64::from(start.height);
        let factor = if (by_width - 1.0).abs() >= (by_height - 1.0).abs() { by_width } else { by_height };
        width = ((f64::from(start.width) * factor).round() as i32).max(MIN_SIDE);
        height = ((f64::from(start.height) * factor).round() as i32).max(MIN_SIDE);
    }
    Rect {
        x: if h < 0 { right - width } else { left },
        y: if v < 0 { bottom - height } else { top },
        width: width.cast_unsigned(),
        height: height.cast_unsigned(),
    }
}

/// Cuts (or, outwards, brings back) what lies beyond the edges that are held; what stays is not scaled.
fn cropped(start: Shape, (h, v): (i8, i8), (dx, dy): (i32, i32), (width, height): (u32, u32)) -> Shape {
    let Shape { place, crop } = start;
    // The amount, pixels of the canvas, and what it is in pixels of the source.
    let cut = |by: i32, side: u32, whole: u32, near: u32, far: u32| {
        let seen = whole.saturating_sub(near + far).max(1);
        let scale = f64::from(side) / f64::from(seen);
        let most = (f64::from(seen) - f64::from(MIN_SIDE)).max(0.0);
        let source = (f64::from(by) / scale).clamp(-f64::from(near), most).round();
        ((source * scale).round() as i32, (f64::from(near) + source) as u32)
    };
    let mut after = start;
    if h < 0 {
        let (by, left) = cut(dx, place.width, width, crop.left, crop.right);
        (after.place.x, after.crop.left) = (place.x + by, left);
        after.place.width = place.width.saturating_add_signed(-by).max(1);
    } else if h > 0 {
        let (by, right) = cut(-dx, place.width, width, crop.right, crop.left);
        after.crop.right = right;
        after.place.width = place.width.saturating_add_signed(-by).max(1);
    }
    if v < 0 {
        let (by, top) = cut(dy, place.height, height, crop.top, crop.bottom);
        (after.place.y, after.crop.top) = (place.y + by, top);
        after.place.height = place.height.saturating_add_signed(-by).max(1);
    } else if v > 0 {
        let (by, bottom) = cut(-dy, place.height, height, crop.bottom, crop.top);
        after.crop.bottom = bottom;
        after.place.height = place.height.saturating_add_signed(-by).max(1);
    }
    after
}

/// The topmost of `items` (the lowest first) that is at a point.
pub(super) fn item_at(items: &[Item], (x, y): (i32, i32)) -> Option<&Item> {
    let covers = |rect: Rect| {
        (rect.x..rect.x + rect.width.cast_signed()).contains(&x)
            && (rect.y..rect.y + rect.height.cast_signed()).contains(&y)
    };
    items.iter().rev().find(|item| item.is_visible && !item.is_locked && covers(item.place))
}

/// The largest place on the canvas with a picture's proportions, in the middle; all of it while they are unknown.
pub(super) fn fitted(canvas: Canvas, (width, height): (u32, u32)) -> Rect {
    if width == 0 || height == 0 {
        return canvas.whole();
    }
    let scale = (f64::from(canvas.width) / f64::from(width)).min(f64::from(canvas.height) / f64::from(height));
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    centred(canvas, Rect { x: 0, y: 0, width: side(width), height: side(height) })
}

/// The same size in the middle of the canvas.
pub(super) fn centred(canvas: Canvas, place: Rect) -> Rect {
    let middle = |whole: u32, side: u32| (i64::from(whole) - i64::from(side)) / 2;
    let at = |value: i64| i32::try_from(value).unwrap_or(0);
    Rect { x: at(middle(canvas.width, place.width)), y: at(middle(canvas.height, place.height)), ..place }
}

#[cfg(test)]
mod tests {
    use skylark_protocol::studio::{ItemId, SourceId};

    use super::*;

    const CANVAS: Canvas = Canvas { width: 1280, height: 720, frame_rate: 30 };

    fn shape(x: i32, y: i32, width: u32, height: u32) -> Shape {
        Shape { place: Rect { x, y, width, height }, crop: Crop::default() }
    }

    fn drag(start: Shape, grip: Grip, by: (i32, i32), keys: Keys) -> Rect {
        dragged(start, grip, by, keys, &Magnets::new(CANVAS, &[], 8), Some((640, 360))).place
    }

    #[test]
    fn an_item_snaps_to_edges_and_centre_unless_told_not_to() {
        let start = shape(100, 100, 320, 180);
        assert_eq!(
            drag(start, Grip::Inside, (-95, 50), Keys::default()),
            Rect { x: 0, y: 150, width: 320, height: 180 }
        );
        assert_eq!(drag(start, Grip::Inside, (383, 167), Keys::default()).x, 480, "centred");
        assert_eq!(drag(start, Grip::Inside, (383, 167), Keys::default()).y, 270, "centred");
        let exact = Keys { is_exact: true, ..Keys::default() };
        assert_eq!(drag(start, Grip::Inside, (-95, 50), exact).x, 5);
        let other = Magnets::new(CANVAS, &[Rect { x: 600, y: 500, width: 100, height: 100 }], 8);
        let beside = dragged(start, Grip::Inside, (177, 0), Keys::default(), &other, None).place;
        assert_eq!(beside.x + 320, 600, "beside another");
    }

    #[test]
    fn corners_keep_the_proportions_and_the_opposite_corner() {
        let start = shape(200, 200, 320, 180);
        let grown = drag(start, Grip::Edge(1, 1), (160, 3), Keys::default());
        assert_eq!(grown, Rect { x: 200, y: 200, width: 480, height: 270 });
        let from_left = drag(start, Grip::Edge(-1, -1), (160, 0), Keys::default());
        assert_eq!((from_left.x, from_left.y, from_left.width, from_left.height), (360, 290, 160, 90));
        let free = drag(start, Grip::Edge(1, 1), (160, 30), Keys { is_free: true, ..Keys::default() });
        assert_eq!((free.width, free.height), (480, 210));
        let edge = drag(start, Grip::Edge(0, 1), (50, 30), Keys::default());
        assert_eq!((edge.width, edge.height), (320, 210));
        assert!(drag(start, Grip::Edge(1, 0), (-900, 0), Keys::default()).width >= 8);
    }

    #[test]
    fn a_crop_cuts_the_source_and_moves_the_edge_alone() {
        // Shown at half its size.
        let start = shape(100, 100, 320, 180);
        let keys = Keys { crops: true, ..Keys::default() };
        let cut = |start, grip, by| dragged(start, grip, by, keys, &Magnets::default(), Some((640, 360)));
        let left = cut(start, Grip::Edge(-1, 0), (40, 0));
        assert_eq!((left.place, left.crop.left), (Rect { x: 140, y: 100, width: 280, height: 180 }, 80));
        let back = cut(left, Grip::Edge(-1, 0), (-400, 0));
        assert_eq!((back.place, back.crop.left), (start.place, 0), "no further than the source goes");
        let corner = cut(start, Grip::Edge(1, 1), (-20, -10));
        assert_eq!((corner.crop.right, corner.crop.bottom), (40, 20));
        assert_eq!(corner.place, Rect { x: 100, y: 100, width: 300, height: 170 });
        let most = cut(start, Grip::Edge(1, 0), (-5000, 0));
        assert!(most.crop.right < 640 && most.place.width >= 1);
    }

    #[test]
    fn a_click_finds_the_topmost_item_that_can_be_moved() {
        let item = |id, x| Item {
            id: ItemId(id),
            source: SourceId(1),
            place: Rect { x, y: 0, width: 100, height: 100 },
            crop: Crop::default(),
            is_visible: true,
            opacity_percent: 100,
            is_locked: false,
        };
        let mut items = [item(1, 0), item(2, 50), item(3, 60)];
        items[2].is_locked = true;
        assert_eq!(item_at(&items, (70, 10)).unwrap().id, ItemId(2));
        items[1].is_visible = false;
        assert_eq!(item_at(&items, (70, 10)).unwrap().id, ItemId(1));
        assert!(item_at(&items, (120, 10)).is_none());
    }

    #[test]
    fn pictures_fit_without_being_bent() {
        assert_eq!(fitted(CANVAS, (640, 480)), Rect { x: 160, y: 0, width: 960, height: 720 });
        assert_eq!(fitted(CANVAS, (0, 0)), CANVAS.whole());
    }
}
