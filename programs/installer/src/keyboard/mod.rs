//! Keyboards: every input device that has the keys we ask for, also those plugged in later.

mod layout;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use evdev::KeyCode;
use evdev::raw_stream::RawDevice;
use rustix::fs::{OFlags, inotify};

use crate::state::Key;

use self::layout::Layout;

/// All keyboards, and a watch for new ones.
#[derive(Debug)]
pub struct Keyboards {
    folder: PathBuf,
    watch: Option<OwnedFd>,
    open: Vec<Keyboard>,
    /// Other input devices, which need not be opened again.
    others: Vec<OsString>,
}

/// A keyboard.
#[derive(Debug)]
pub struct Keyboard {
    name: OsString,
    device: RawDevice,
    layout: Layout,
}

impl Keyboards {
    /// The keyboards in `dev/input` below `root`. They are looked for in [`Keyboards::refresh`].
    pub fn new(root: &Path) -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags)
            .inspect_err(|error| tracing::warn!(%error, "new keyboards are noticed late"))
            .ok();
        Self {
            folder: root.join("dev/input"),
            watch,
            open: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Becomes readable when a device comes or goes; then call [`Keyboards::refresh`].
    pub fn watch(&self) -> Option<&OwnedFd> {
        self.watch.as_ref()
    }

    /// The keyboards, to wait for. Their indices hold until the next call that adds or drops one.
    pub fn keyboards(&self) -> &[Keyboard] {
        &self.open
    }

    /// Opens keyboards that are new.
    pub fn refresh(&mut self) {
        self.watch_folder();
        let names: Vec<OsString> = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| name.as_encoded_bytes().starts_with(b"event"))
            .collect();
        self.others.retain(|name| names.contains(name));
        for name in names {
            let known = self.open.iter().any(|it| it.name == name);
            if !known && !self.others.contains(&name) {
                self.open(name);
            }
        }
    }

    /// The keys that were pressed on the keyboard with this index. One that is gone is dropped.
    pub fn keys(&mut self, index: usize) -> Vec<Key> {
        let Some(keyboard) = self.open.get_mut(index) else {
            return Vec::new();
        };
        let layout = &mut keyboard.layout;
        let keys = match keyboard.device.fetch_events() {
            Ok(events) => Ok(events.filter_map(|event| layout.take(event)).collect()),
            Err(error) => Err(error),
        };
        match keys {
            Ok(keys) => keys,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Vec::new(),
            Err(error) => {
                tracing::info!(name = ?keyboard.name, %error, "keyboard is gone");
                self.open.remove(index);
                Vec::new()
            }
        }
    }

    /// Watches the folder, which may come and go with the devices in it, and empties the queue.
    fn watch_folder(&self) {
        let Some(watch) = &self.watch else {
            return;
        };
        let events = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::ATTRIB
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::ONLYDIR;
        for folder in [self.folder.parent(), Some(&self.folder)]
            .into_iter()
            .flatten()
        {
            // If a folder does not exist, its parent tells when it does.
            let _ = inotify::add_watch(watch, folder, events);
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch, &mut buffer);
        while reader.next().is_ok() {}
    }

    fn open(&mut self, name: OsString) {
        match Keyboard::open(&self.folder, &name) {
            Ok(Some(keyboard)) => {
                tracing::info!(?name, model = keyboard.device.name(), "found keyboard");
                self.open.push(keyboard);
            }
            Ok(None) => self.others.push(name),
            // Perhaps it is gone already, or not ready yet: the next call tries again.
            Err(error) => tracing::debug!(?name, %error, "cannot open input device"),
        }
    }
}

impl Keyboard {
    /// Opens the input device; `None` if it is not a keyboard.
    fn open(folder: &Path, name: &OsString) -> io::Result<Option<Self>> {
        let file = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(folder.join(name))?;
        let device = RawDevice::from_fd(file.into())?;
        let is_keyboard = device.supported_keys().is_some_and(|keys| {
            [KeyCode::KEY_Q, KeyCode::KEY_ENTER]
                .iter()
                .all(|key| keys.contains(*key))
        });
        let name = name.clone();
        Ok(is_keyboard.then_some(Self {
            name,
            device,
            layout: Layout::default(),
        }))
    }
}

impl AsFd for Keyboard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_input_devices_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let mut keyboards = Keyboards::new(root.path());
        keyboards.refresh();
        let folder = root.path().join("dev/input");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("event0"), "").unwrap();
        keyboards.refresh();
        assert!(keyboards.keyboards().is_empty());
        assert!(keyboards.keys(0).is_empty());
    }
}
