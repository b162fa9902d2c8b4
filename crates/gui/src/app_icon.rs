//! The window's own picture, from the file that gives the program its icon on Windows.
//!
//! Invariant: a damaged file means no picture, which is drawn by the system, and never a failure.

use egui::IconData;

const FILE: &[u8] = include_bytes!("../../../assets/fcs.ico");

/// The largest picture; systems scale it to what they need.
pub fn largest() -> IconData {
    let largest = pictures(FILE).max_by_key(|picture| picture.len());
    largest.and_then(|png| eframe::icon_data::from_png_bytes(png).ok()).unwrap_or_default()
}

/// The pictures that are whole PNG files: the larger ones, see <https://en.wikipedia.org/wiki/ICO_(file_format)>.
fn pictures(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    // After a head of 6 bytes, 16 for each picture, with its size and place in the last 8.
    let count = file.get(4..6).map_or(0, |bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
    let entries = file.get(6..).unwrap_or_default().chunks_exact(16).take(count);
    let pictures = entries.filter_map(|entry| {
        let number = |at: usize| {
            let bytes = entry.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let (size, place) = (number(8)?, number(12)?);
        file.get(place..place.checked_add(size)?)
    });
    pictures.filter(|picture| picture.starts_with(b"\x89PNG"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_picture_of_our_file_is_found() {
        let icon = largest();
        assert_eq!([icon.width, icon.height], [256, 256]);
        assert_eq!(icon.rgba.len(), 256 * 256 * 4);
    }

    #[test]
    fn a_damaged_file_holds_no_pictures() {
        for end in [0, 3, 6, 20, FILE.len() / 2] {
            assert!(pictures(&FILE[..end]).all(|picture| picture.len() < FILE.len() / 2));
        }
        let mut beyond = FILE[..22].to_vec();
        beyond[14..22].fill(0xff);
        assert_eq!(pictures(&beyond).count(), 0);
    }
}
