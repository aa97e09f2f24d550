//! The settings of an installation, as far as people can be asked for them.

use serde::Deserialize;

/// One of the settings that people can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// What the machine is called.
    HostName,
    /// What the node is called among nodes.
    NodeName,
    /// How many partitions share the room for data.
    DataPartitions,
    /// What opens the data.
    Encryption,
    /// The passphrase that does, where one does.
    #[serde(skip)]
    Passphrase,
    /// The same again.
    #[serde(skip)]
    PassphraseAgain,
    /// Room at the end of the disk that nothing uses.
    Reserved,
    /// Whom to ask for the time.
    TimeServer,
    /// Where the network address comes from.
    Address,
    /// The gateway of a fixed address.
    Gateway,
    /// The name servers of a fixed address.
    NameServers,
}

impl Field {
    /// Every field, in the order of the screen.
    pub const ALL: [Self; 11] = [
        Self::HostName,
        Self::NodeName,
        Self::DataPartitions,
        Self::Encryption,
        Self::Passphrase,
        Self::PassphraseAgain,
        Self::Reserved,
        Self::TimeServer,
        Self::Address,
        Self::Gateway,
        Self::NameServers,
    ];

    /// Whether an installation can change it without being erased.
    pub fn can_change(self) -> bool {
        !matches!(
            self,
            Self::DataPartitions
                | Self::Encryption
                | Self::Passphrase
                | Self::PassphraseAgain
                | Self::Reserved
        )
    }
}
