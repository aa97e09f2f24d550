//! Where people read: the page on the first virtual terminal, lines on the serial consoles. None
//! of them is needed, and none is waited for.

use common::product::product;
use common::{cmdline, terminals};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::page::Page;
use crate::text::clean;

/// Clears the screen, hides the cursor, and switches blanking and powering down off:
/// `console_codes(4)`.
const PREPARE: &str = "\x1b[2J\x1b[?25l\x1b[9;0]\x1b[14;0]";
/// proc(5): messages less important than the first number go to no console. Below the root.
const PRINTK: &str = "proc/sys/kernel/printk";

/// The screen and the serial consoles.
#[derive(Debug)]
pub struct Console {
    screen: Option<File>,
    serial: Vec<File>,
    shown: Page,
}

impl Console {
    /// Opens what there is below `root`. If the kernel writes its messages to the screen, too, it
    /// is told to keep them to itself.
    pub fn open(root: &Path) -> Self {
        if terminals::consoles(root)
            .iter()
            .any(|it| terminals::is_virtual(it))
        {
            // Where that fails, the page is drawn over the message at the next change.
            let _ = std::fs::write(root.join(PRINTK), "1 4 1 7");
        }
        let serial = serial(root);
        let mut screen = open(root, "tty1");
        if let Some(screen) = &mut screen {
            let _ = screen.write_all(PREPARE.as_bytes());
        }
        Self {
            screen,
            serial,
            shown: Page::default(),
        }
    }

    /// Shows `page`, if it is another one.
    pub fn show(&mut self, page: &Page) {
        if *page == self.shown {
            return;
        }
        for line in page.news(&self.shown) {
            self.say(&line);
        }
        if let Some(screen) = &mut self.screen {
            let mut text = "\x1b[H".to_owned();
            for line in page.lines() {
                text.push_str(&line);
                text.push_str("\x1b[K\r\n");
            }
            text.push_str("\x1b[J");
            let _ = screen.write_all(text.as_bytes());
        }
        self.shown = page.clone();
    }

    /// Writes a line to the serial consoles. What a line that is stuck does not take is lost.
    pub fn say(&mut self, line: &str) {
        let line = format!("{}: {}\r\n", product().id, clean(line));
        for serial in &mut self.serial {
            let _ = serial.write(line.as_bytes());
        }
    }
}

/// Opens the serial consoles, unless the kernel's command line leaves them to others.
pub fn serial(root: &Path) -> Vec<File> {
    let mut names = terminals::serial_consoles(root);
    names.retain(|_| cmdline::has_serial(root));
    names.iter().filter_map(|name| open(root, name)).collect()
}

/// Opens a terminal for writing, without waiting and without becoming its session's leader.
fn open(root: &Path, name: &str) -> Option<File> {
    File::options()
        .append(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(root.join("dev").join(name))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use common::terminals::ACTIVE;

    fn root(active: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["dev", "sys/class/tty/console", "proc/sys/kernel"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for file in ["dev/tty1", "dev/ttyS0", "dev/tty0", "dev/hvc0"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        fs::write(root.path().join(PRINTK), "7\t4\t1\t7\n").unwrap();
        fs::write(root.path().join(ACTIVE), active).unwrap();
        root
    }

    fn read(root: &tempfile::TempDir, path: &str) -> String {
        fs::read_to_string(root.path().join(path)).unwrap()
    }

    fn page(value: &str) -> Page {
        Page {
            title: "Example 1".to_owned(),
            rows: vec![("Service", value.to_owned())],
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_screen_is_drawn_and_serial_consoles_get_what_changed() {
        let root = root("hvc0 ttyS0\n");
        let mut console = Console::open(root.path());
        console.show(&page("running"));
        console.show(&page("running"));
        console.show(&page("stopped"));
        let expected = "example: Example 1\r\nexample: Service: running\r\n\
            example: Service: stopped\r\n";
        assert_eq!(read(&root, "dev/ttyS0"), expected);
        assert_eq!(read(&root, "dev/hvc0"), expected);
        let screen = read(&root, "dev/tty1");
        let drawn: Vec<_> = screen.split("\x1b[H").collect();
        assert_eq!(drawn.len(), 3);
        assert_eq!(drawn[0], PREPARE);
        assert_eq!(
            drawn[2],
            "\x1b[K\r\n  Example 1\x1b[K\r\n\x1b[K\r\n  Service     stopped\x1b[K\r\n\x1b[J"
        );
        assert_eq!(read(&root, PRINTK), "7\t4\t1\t7\n");
    }

    #[test]
    fn the_kernel_is_silenced_only_where_it_writes_to_the_screen() {
        let root = root("tty0 ttyS0\n");
        Console::open(root.path()).say("a\x1bb");
        assert_eq!(read(&root, PRINTK), "1 4 1 7");
        assert_eq!(read(&root, "dev/ttyS0"), "example: a?b\r\n");
        assert_eq!(read(&root, "dev/tty0"), "");
    }

    #[test]
    fn serial_consoles_are_left_to_others_where_the_command_line_says_so() {
        let root = root("tty0 ttyS0\n");
        fs::write(root.path().join("proc/cmdline"), "example.serial=off\n").unwrap();
        Console::open(root.path()).show(&page("running"));
        assert_eq!(read(&root, "dev/ttyS0"), "");
        assert!(read(&root, "dev/tty1").contains("running"));
    }

    #[test]
    fn a_machine_without_any_is_no_trouble() {
        let root = tempfile::tempdir().unwrap();
        let mut console = Console::open(root.path());
        console.show(&page("running"));
        console.say("nobody reads this");
    }
}
