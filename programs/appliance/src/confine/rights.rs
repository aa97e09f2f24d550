//! User, group and capabilities: capabilities(7), "Effect of user ID changes on capabilities".

use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::profiles::Profile;

/// Becomes the profile's user, who has its capabilities and can never get others, nor can what it starts.
pub fn drop_to(profile: &Profile) -> io::Result<()> {
    let kept = profile.capabilities;
    bound(kept)?;
    set_keep_capabilities(true)?;
    let (user, group) = (Uid::from_raw(profile.user), Gid::from_raw(profile.user));
    set_thread_groups(&[group])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    set_capabilities(None, all(kept))?;
    clear_ambient_capability_set()?;
    for capability in kept.iter() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Stays who it is, and keeps no capability but these.
pub fn keep(kept: CapabilitySet) -> io::Result<()> {
    bound(kept)?;
    Ok(set_capabilities(None, all(kept))?)
}

fn all(kept: CapabilitySet) -> CapabilitySets {
    CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: kept,
    }
}

/// Nobody gets others than `kept` any more, by whatever is started.
fn bound(kept: CapabilitySet) -> io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Those that this kernel has not come last.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
