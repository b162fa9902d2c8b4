//! An [`egui_kittest::TestRenderer`] without a graphics card, a driver or a display: bit for bit the same on every
//! system. Fills egui's triangles by the formula of egui's own shader: colour of the corners times bilinear texel, laid
//! over what is there with premultiplied alpha, in gamma space.

use std::collections::HashMap;
use std::ops::Range;

use egui::epaint::{Primitive, Vertex};
use egui::{Color32, TextureId, TexturesDelta};

type Pixel = [f32; 4];

struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<Pixel>,
    nearest: bool,
}

/// Draws in memory.
#[derive(Default)]
pub struct CpuRenderer {
    textures: HashMap<TextureId, Texture>,
}

/// What triangles are laid over.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Pixel>,
}

fn floats(color: Color32) -> Pixel {
    color.to_array().map(f32::from)
}

impl egui_kittest::TestRenderer for CpuRenderer {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, images) in delta.set.drain() {
            for part in images {
                let egui::ImageData::Color(image) = &part.image;
                let [width, height] = image.size;
                let Some([left, top]) = part.pos else {
                    let pixels = image.pixels.iter().map(|&color| floats(color)).collect();
                    let nearest = part.options.magnification == egui::TextureFilter::Nearest;
                    self.textures.insert(id, Texture { width, height, pixels, nearest });
                    continue;
                };
                let texture = self.textures.get_mut(&id).expect("a part of a texture that was never made");
                for (at, &color) in image.pixels.iter().enumerate() {
                    let (column, line) = (left + at % width, top + at / width);
                    texture.pixels[line * texture.width + column] = floats(color);
                }
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(&mut self, ctx: &egui::Context, output: &egui::FullOutput) -> Result<image::RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let (width, height) = (size.x.round() as usize, size.y.round() as usize);
        let mut canvas = Canvas { width, height, pixels: vec![[0.0; 4]; width * height] };
        for clipped in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = clipped.primitive else { continue };
            let Some(texture) = self.textures.get(&mesh.texture_id) else { continue };
            let clip = clipped.clip_rect * scale;
            let edge = |at: f32, end: usize| (at.round().max(0.0) as usize).min(end);
            let clip = [
                edge(clip.min.x, width)..edge(clip.max.x, width),
                edge(clip.min.y, height)..edge(clip.max.y, height),
            ];
            for corners in mesh.indices.as_chunks::<3>().0 {
                canvas.fill(&clip, texture, corners.map(|at| mesh.vertices[at as usize]), scale);
            }
        }
        let bytes = canvas.pixels.iter().flat_map(|pixel| pixel.map(|c| c.clamp(0.0, 255.0) as u8)).collect();
        image::RgbaImage::from_raw(width as u32, height as u32, bytes).ok_or_else(|| "size".into())
    }
}

/// One edge of a triangle.
struct Edge {
    from: [f32; 2],
    along: [f32; 2],
    /// Whether pixels on the edge belong to the triangle.
    owns: bool,
}

impl Edge {
    fn new(from: [f32; 2], to: [f32; 2], turn: f32) -> Self {
        let along = [(to[0] - from[0]) * turn, (to[1] - from[1]) * turn];
        // The top-left rule, so that an edge of two triangles is laid over once.
        let owns = along[1] < 0.0 || along[1] == 0.0 && along[0] > 0.0;
        Self { from, along, owns }
    }

    /// How far inside a point is; `None` if it is not.
    fn inside(&self, point: [f32; 2]) -> Option<f32> {
        let across = self.along[0] * (point[1] - self.from[1]) - self.along[1] * (point[0] - self.from[0]);
        (across > 0.0 || across == 0.0 && self.owns).then_some(across)
    }
}

impl Canvas {
    /// Lays a triangle over the picture.
    fn fill(&mut self, clip: &[Range<usize>; 2], texture: &Texture, corners: [Vertex; 3], scale: f32) {
        let at = corners.map(|corner| [corner.pos.x * scale, corner.pos.y * scale]);
        let area =
            (at[1][0] - at[0][0]) * (at[2][1] - at[0][1]) - (at[2][0] - at[0][0]) * (at[1][1] - at[0][1]);
        if area == 0.0 {
            return;
        }
        let edges = [(1, 2), (2, 0), (0, 1)].map(|(a, b)| Edge::new(at[a], at[b], area.signum()));
        let reach = |axis: usize| {
            let low = at[0][axis].min(at[1][axis]).min(at[2][axis]).floor().max(0.0) as usize;
            let high = at[0][axis].max(at[1][axis]).max(at[2][axis]).ceil().max(0.0) as usize;
            low.max(clip[axis].start)..high.min(clip[axis].end)
        };
        let inks = corners.map(|corner| floats(corner.color).map(|channel| channel / 255.0));
        // Plain areas are most of a picture; they need no mixing, which is what takes time.
        let [first, second, third] = corners;
        let is_plain = first.uv == second.uv
            && first.uv == third.uv
            && first.color == second.color
            && first.color == third.color;
        let plain = is_plain.then(|| {
            let texel = texture.sample(first.uv.x, first.uv.y);
            std::array::from_fn(|channel| inks[0][channel] * texel[channel])
        });
        let columns = reach(0);
        for line in reach(1) {
            for column in columns.clone() {
                let point = [column as f32 + 0.5, line as f32 + 0.5];
                let Some(first) = edges[0].inside(point) else { continue };
                let Some(second) = edges[1].inside(point) else { continue };
                let Some(third) = edges[2].inside(point) else { continue };
                let source = plain.unwrap_or_else(|| {
                    let share = [first, second, third].map(|across| across / area.abs());
                    mixed(texture, &corners, &inks, share)
                });
                let below = &mut self.pixels[line * self.width + column];
                if source[3] >= 255.0 {
                    *below = source;
                    continue;
                }
                let through = 1.0 - source[3] / 255.0;
                for channel in 0..4 {
                    // Rounded, as eight bits a channel are.
                    below[channel] = (source[channel] + below[channel] * through).round();
                }
            }
        }
    }
}

/// The colour at a point that has these shares of the corners.
fn mixed(texture: &Texture, corners: &[Vertex; 3], inks: &[Pixel; 3], share: [f32; 3]) -> Pixel {
    let (mut across, mut down, mut source) = (0.0, 0.0, [0.0; 4]);
    for corner in 0..3 {
        across += share[corner] * corners[corner].uv.x;
        down += share[corner] * corners[corner].uv.y;
        for channel in 0..4 {
            source[channel] += share[corner] * inks[corner][channel];
        }
    }
    let texel = texture.sample(across, down);
    for channel in 0..4 {
        source[channel] *= texel[channel];
    }
    source
}

impl Texture {
    fn sample(&self, across: f32, down: f32) -> Pixel {
        let column = across * self.width as f32 - 0.5;
        let line = down * self.height as f32 - 0.5;
        if self.nearest {
            return self.at(column.round(), line.round());
        }
        let (left, top) = (column.floor(), line.floor());
        let (right_part, low_part) = (column - left, line - top);
        let (above, above_right) = (self.at(left, top), self.at(left + 1.0, top));
        let (below, below_right) = (self.at(left, top + 1.0), self.at(left + 1.0, top + 1.0));
        let mut out = [0.0; 4];
        for channel in 0..4 {
            let high = above[channel] * (1.0 - right_part) + above_right[channel] * right_part;
            let low = below[channel] * (1.0 - right_part) + below_right[channel] * right_part;
            out[channel] = high * (1.0 - low_part) + low * low_part;
        }
        out
    }

    fn at(&self, column: f32, line: f32) -> Pixel {
        let column = column.clamp(0.0, self.width as f32 - 1.0) as usize;
        let line = line.clamp(0.0, self.height as f32 - 1.0) as usize;
        self.pixels[line * self.width + column]
    }
}
