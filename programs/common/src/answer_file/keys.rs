//! The keys that an answer file may have, each with an example; what they mean is told elsewhere.

use super::document::VERSION;
use super::table::{Key, key};

/// Those outside of any table.
pub const TOP: &[Key] = &[
    key("version", VERSION),
    key("task", "\"install\""),
    key("on_success", "\"reboot\""),
    key("on_error", "\"wait\""),
    key("countdown_seconds", "10"),
    key("ignore_requirements", "true"),
    key("allow_downgrade", "true"),
    key("secure_boot", "\"enroll\""),
    key("disk", ""),
    key("settings", ""),
];

/// Those of `[disk]`.
pub const DISK: &[Key] = &[
    key("serial", "\"S6Z2NJ0W123456\""),
    key("wwn", "\"eui.0025385b21404321\""),
    key("model", "\"Samsung SSD 990*\""),
    key("bus", "\"NVMe\""),
    key("min_size", "\"500 GB\""),
    key("max_size", "\"2.1 TB\""),
    key("removable", "false"),
    key("empty", "true"),
    key("largest", "true"),
    key("smallest", "true"),
    key("into", "\"free-space\""),
    key("erase", "\"S6Z2NJ0W123456\""),
    key("erase_any_matching", "true"),
    key("replace_installation", "true"),
    key("erase_foreign_data", "true"),
];

/// Those of `[settings]`.
pub const SETTINGS: &[Key] = &[
    key("host_name", "\"db-1\""),
    key("node_name", "\"node-1\""),
    key("data_partitions", "1"),
    key("encryption", "\"tpm\""),
    key("passphrase", "\"correct horse battery\""),
    key("recovery_key", "\"show\""),
    key("reserved", "\"10 GiB\""),
    key("time_server", "\"ntp.example.org\""),
    key("address", "\"dhcp\" or \"192.0.2.10/24\""),
    key("gateway", "\"192.0.2.1\""),
    key("name_servers", "[\"192.0.2.53\"]"),
];

/// All tables, by name; the first is the file itself.
pub const TABLES: [(&str, &[Key]); 3] = [("", TOP), ("disk", DISK), ("settings", SETTINGS)];
