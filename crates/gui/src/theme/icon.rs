//! The glyphs of the icon font, by what they show or mean.
//!
//! Invariant: every constant is one character that the font has. This module must not know where they are drawn.

/// Once more.
pub const AGAIN: &str = "\u{e036}";
/// Arrow left.
pub const ARROW_LEFT: &str = "\u{e058}";
/// Arrow line left.
pub const ARROW_LINE_LEFT: &str = "\u{e062}";
/// Arrow line right.
pub const ARROW_LINE_RIGHT: &str = "\u{e064}";
/// Arrow right.
pub const ARROW_RIGHT: &str = "\u{e06c}";
/// Calendar blank.
pub const CALENDAR_BLANK: &str = "\u{e10a}";
/// Caret down.
pub const CARET_DOWN: &str = "\u{e136}";
/// Caret left.
pub const CARET_LEFT: &str = "\u{e138}";
/// Caret right.
pub const CARET_RIGHT: &str = "\u{e13a}";
/// Caret up.
pub const CARET_UP: &str = "\u{e13c}";
/// Check.
pub const CHECK: &str = "\u{e182}";
/// Check circle.
pub const CHECK_CIRCLE: &str = "\u{e184}";
/// Clipboard text.
pub const CLIPBOARD_TEXT: &str = "\u{e198}";
/// Clock.
pub const CLOCK: &str = "\u{e19a}";
/// Copy.
pub const COPY: &str = "\u{e1ca}";
/// Desktop.
pub const DESKTOP: &str = "\u{e560}";
/// Dots three.
pub const DOTS_THREE: &str = "\u{e1fe}";
/// Download simple.
pub const DOWNLOAD_SIMPLE: &str = "\u{e20c}";
/// Equals.
pub const EQUALS: &str = "\u{e21c}";
/// Eye.
pub const EYE: &str = "\u{e220}";
/// Eye slash.
pub const EYE_SLASH: &str = "\u{e224}";
/// File.
pub const FILE: &str = "\u{e230}";
/// File code.
pub const FILE_CODE: &str = "\u{e914}";
/// File pdf.
pub const FILE_PDF: &str = "\u{e702}";
/// File text.
pub const FILE_TEXT: &str = "\u{e23a}";
/// File zip.
pub const FILE_ZIP: &str = "\u{e958}";
/// A strip of film.
pub const FILM: &str = "\u{e792}";
/// Fingerprint.
pub const FINGERPRINT: &str = "\u{e23e}";
/// Floppy disk.
pub const FLOPPY_DISK: &str = "\u{e248}";
/// A folder.
pub const FOLDER: &str = "\u{e24a}";
/// An open folder.
pub const FOLDER_OPEN: &str = "\u{e256}";
/// A folder and a plus.
pub const FOLDER_PLUS: &str = "\u{e258}";
/// A plain folder.
pub const FOLDER_SIMPLE: &str = "\u{e25a}";
/// Funnel.
pub const FUNNEL: &str = "\u{e266}";
/// Gear.
pub const GEAR: &str = "\u{e270}";
/// Hard drives.
pub const HARD_DRIVES: &str = "\u{e2a0}";
/// History.
pub const HISTORY: &str = "\u{e1a0}";
/// Image.
pub const IMAGE: &str = "\u{e2ca}";
/// Info.
pub const INFO: &str = "\u{e2ce}";
/// Keyboard.
pub const KEYBOARD: &str = "\u{e2d8}";
/// Link.
pub const LINK: &str = "\u{e2e2}";
/// List bullets.
pub const LIST_BULLETS: &str = "\u{e2f2}";
/// Lock.
pub const LOCK: &str = "\u{e2fa}";
/// Minus.
pub const MINUS: &str = "\u{e32a}";
/// Moon.
pub const MOON: &str = "\u{e330}";
/// A note.
pub const MUSIC: &str = "\u{e33c}";
/// Not equals.
pub const NOT_EQUALS: &str = "\u{eda6}";
/// Opens outside the window.
pub const OPEN_OUTSIDE: &str = "\u{e5de}";
/// Pause.
pub const PAUSE: &str = "\u{e39e}";
/// Play.
pub const PLAY: &str = "\u{e3d0}";
/// Plus.
pub const PLUS: &str = "\u{e3d4}";
/// Prohibit.
pub const PROHIBIT: &str = "\u{e3de}";
/// Push pin.
pub const PUSH_PIN: &str = "\u{e3e2}";
/// Question.
pub const QUESTION: &str = "\u{e3e8}";
/// Refresh.
pub const REFRESH: &str = "\u{e094}";
/// Scales.
pub const SCALES: &str = "\u{e750}";
/// A magnifying glass.
pub const SEARCH: &str = "\u{e30c}";
/// A shield with a tick.
pub const SHIELD: &str = "\u{e40c}";
/// Options.
pub const SLIDERS: &str = "\u{e434}";
/// Stop.
pub const STOP: &str = "\u{e46c}";
/// Sun.
pub const SUN: &str = "\u{e472}";
/// Swap.
pub const SWAP: &str = "\u{e0a0}";
/// Terminal.
pub const TERMINAL: &str = "\u{e47e}";
/// Trash.
pub const TRASH: &str = "\u{e4a6}";
/// Tree structure.
pub const TREE_STRUCTURE: &str = "\u{e67c}";
/// Undo.
pub const UNDO: &str = "\u{e038}";
/// Upload simple.
pub const UPLOAD_SIMPLE: &str = "\u{e4c0}";
/// Warning.
pub const WARNING: &str = "\u{e4e0}";
/// Warning circle.
pub const WARNING_CIRCLE: &str = "\u{e4e2}";
/// X.
pub const X: &str = "\u{e4f6}";
/// X circle.
pub const X_CIRCLE: &str = "\u{e4f8}";

/// All of them.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    AGAIN,
    ARROW_LEFT,
    ARROW_LINE_LEFT,
    ARROW_LINE_RIGHT,
    ARROW_RIGHT,
    CALENDAR_BLANK,
    CARET_DOWN,
    CARET_LEFT,
    CARET_RIGHT,
    CARET_UP,
    CHECK,
    CHECK_CIRCLE,
    CLIPBOARD_TEXT,
    CLOCK,
    COPY,
    DESKTOP,
    DOTS_THREE,
    DOWNLOAD_SIMPLE,
    EQUALS,
    EYE,
    EYE_SLASH,
    FILE,
    FILE_CODE,
    FILE_PDF,
    FILE_TEXT,
    FILE_ZIP,
    FILM,
    FINGERPRINT,
    FLOPPY_DISK,
    FOLDER,
    FOLDER_OPEN,
    FOLDER_PLUS,
    FOLDER_SIMPLE,
    FUNNEL,
    GEAR,
    HARD_DRIVES,
    HISTORY,
    IMAGE,
    INFO,
    KEYBOARD,
    LINK,
    LIST_BULLETS,
    LOCK,
    MINUS,
    MOON,
    MUSIC,
    NOT_EQUALS,
    OPEN_OUTSIDE,
    PAUSE,
    PLAY,
    PLUS,
    PROHIBIT,
    PUSH_PIN,
    QUESTION,
    REFRESH,
    SCALES,
    SEARCH,
    SHIELD,
    SLIDERS,
    STOP,
    SUN,
    SWAP,
    TERMINAL,
    TRASH,
    TREE_STRUCTURE,
    UNDO,
    UPLOAD_SIMPLE,
    WARNING,
    WARNING_CIRCLE,
    X,
    X_CIRCLE,
];
