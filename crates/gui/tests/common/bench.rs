//! A window over two real folders, without a screen.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use egui::{Theme, Ui, UiBuilder, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fcs_app::settings_file::SettingsFile;
use fcs_engine::compare::Side;
use fcs_gui::theme;
use fcs_gui::window::Window;
use fcs_gui_model::app::{App, Desktop, DialogAnswer, Start};
use fcs_gui_model::keep::Remembered;
use jiff::tz::TimeZone;

use super::CpuRenderer;

/// Answers dialogs with what a test put there, the last first; a path that is empty is no dialog at all.
#[derive(Default)]
pub struct Answers(pub Mutex<Vec<PathBuf>>, pub Mutex<Vec<(&'static str, PathBuf)>>);

impl Answers {
    fn next(&self) -> DialogAnswer {
        match self.0.lock().unwrap().pop() {
            Some(path) if path.as_os_str().is_empty() => DialogAnswer::Missing("nothing is there".into()),
            Some(path) => DialogAnswer::Chosen(path),
            None => DialogAnswer::Cancelled,
        }
    }

    /// Takes note of it; nothing is opened.
    fn hand_over(&self, what: &'static str, path: &Path) {
        self.1.lock().unwrap().push((what, path.to_owned()));
    }
}

impl Desktop for Answers {
    fn pick_folder(&self, _title: &str, _start: Option<&Path>) -> DialogAnswer {
        self.next()
    }
    fn pick_save(&self, _title: &str, _name: &str) -> DialogAnswer {
        self.next()
    }
    fn pick_open(&self, _title: &str) -> DialogAnswer {
        self.next()
    }
    fn open(&self, path: &Path) -> Result<(), String> {
        self.hand_over("open", path);
        Ok(())
    }
    fn reveal(&self, path: &Path) -> Result<(), String> {
        self.hand_over("reveal", path);
        Ok(())
    }
}

/// A window, and the folders it is over.
pub struct Bench {
    pub h: Harness<'static, Window>,
    pub answers: Arc<Answers>,
    woken: Receiver<()>,
    home: Home,
}

/// Where the folders are.
enum Home {
    /// Anywhere.
    Any(tempfile::TempDir),
    /// Always in the same place, so that pictures show the same paths; one at a time.
    Fixed(PathBuf, #[allow(dead_code)] File),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Any(folder) => folder.path(),
            Self::Fixed(path, _) => path,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Fixed(path, _) = self {
            let _ = fs::remove_dir_all(path);
        }
    }
}

impl Bench {
    /// Empty folders `left` and `right` anywhere.
    pub fn new(size: Vec2, theme: Theme) -> Self {
        Self::over(Home::Any(tempfile::tempdir().unwrap()), ["left", "right"], size, theme)
    }

    /// Folders in memory where the system has such a place: every Linux keeps and proves the same there.
    pub fn in_memory(size: Vec2, theme: Theme) -> Self {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self::over(Home::Any(home.unwrap()), ["left", "right"], size, theme)
    }

    /// Folders for a picture.
    pub fn for_picture(size: Vec2, theme: Theme) -> Self {
        let lock = File::create("/tmp/fcs-window-test.lock").unwrap();
        lock.lock().unwrap();
        let home = PathBuf::from("/tmp/fcs-window-test");
        let _ = fs::remove_dir_all(&home);
        fs::create_dir(&home).unwrap();
        Self::over(Home::Fixed(home, lock), ["Photos", "Backup of Photos"], size, theme)
    }

    fn over(home: Home, names: [&str; 2], size: Vec2, theme: Theme) -> Self {
        let folders = names.map(|name| home.path().join(name));
        folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
        fs::create_dir(home.path().join("home")).unwrap();
        let (sender, woken) = channel();
        let sender = Mutex::new(sender);
        let answers = Arc::<Answers>::default();
        let settings = home.path().join("home/settings.toml");
        let mut app = App::new(Start {
            settings: SettingsFile::read(settings.clone()),
            kept: Remembered { shown: vec!["-created".into()], ..Remembered::default() },
            kept_path: Some(settings.with_file_name("window.toml")),
            logs: None,
            memories: Some(home.path().join("home/pairs")),
            home: Some(home.path().join("home")),
            zone: TimeZone::UTC,
            desktop: Arc::clone(&answers) as Arc<dyn Desktop>,
            wake: Arc::new(move || {
                let _ = sender.lock().unwrap().send(());
            }),
        });
        let [left, right] = folders;
        app.set_folder(Side::Left, left);
        app.set_folder(Side::Right, right);
        app.kept.theme = if theme == Theme::Dark {
            fcs_gui_model::keep::Theme::Dark
        } else {
            fcs_gui_model::keep::Theme::Light
        };
        let mut h = Harness::builder()
            .with_size(size)
            .with_theme(theme)
            .with_step_dt(1.0 / 60.0)
            .with_max_steps(64)
            .with_context_setup(theme::install)
            .renderer(CpuRenderer::default())
            .build_ui_state(
                |ui: &mut Ui, window: &mut Window| {
                    let now = Duration::from_secs_f64(ui.input(|i| i.time));
                    // Over the margin too that the harness leaves.
                    let all = ui.ctx().content_rect();
                    ui.scope_builder(UiBuilder::new().max_rect(all), |ui| {
                        ui.set_clip_rect(all);
                        window.ui(ui, now);
                    });
                },
                Window::new(app),
            );
        h.run();
        Self { h, answers, woken, home }
    }

    pub fn app(&self) -> &App {
        &self.h.state().app
    }

    pub fn app_mut(&mut self) -> &mut App {
        &mut self.h.state_mut().app
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file of so many bytes, with a date of its own.
    pub fn write(&self, name: &str, size: usize, days: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content: Vec<u8> = (0..size).map(|n| (n % 251) as u8 ^ name.len() as u8).collect();
        fs::write(&path, content).unwrap();
        self.date(name, days);
    }

    /// Gives an item a date.
    pub fn date(&self, name: &str, days: u64) {
        let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + days * 86_400);
        let path = self.path(name);
        File::open(&path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    /// Draws whenever a job ended, until something is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&App) -> bool) {
        loop {
            self.h.run();
            if is_so(self.app()) {
                return;
            }
            let woken = self.woken.recv_timeout(Duration::from_mins(2));
            assert!(woken.is_ok(), "{what} did not happen; the log: {:#?}", self.app().log.lines());
        }
    }

    pub fn idle(&mut self) {
        self.until("the end of the work", |app| app.busy.is_none());
    }

    /// Presses what has this name.
    pub fn click(&mut self, label: &str) {
        self.h.get_by_label(label).click();
        self.h.run();
    }

    /// The names of everything on the screen.
    pub fn labels(&self) -> Vec<String> {
        use egui_kittest::kittest::NodeT;
        self.h.root().children_recursive().filter_map(|node| node.accesskit_node().label()).collect()
    }
}
