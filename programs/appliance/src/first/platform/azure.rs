//! `ovf-env.xml`, which Azure gives a new machine on a disc: the provisioning section of Azure's Linux agent
//! (`WALinuxAgent`, `azurelinuxagent/common/protocol/ovfenv.py`). The disc is UDF; managers of Hyper-V and Azure Stack
//! also make ISO 9660.
//!
//! What else lies there, such as a password, is read by nobody.

use common::answer_file::base64;
use common::problem::Problem;
use roxmltree::{Document, Node};

use super::Source;
use super::user_data::answer_file;

/// Its name, in the root of the disc.
pub(super) const FILE: &str = "ovf-env.xml";
/// The most bytes that it has: Azure takes 64 KiB of custom data, which are a third more in base64.
pub(super) const LARGEST: usize = 256 << 10;

/// What `bytes`, the file on `device`, say; nothing if they are another kind of environment.
pub(super) fn read(device: &str, bytes: &[u8]) -> Result<Option<Source>, Problem> {
    let name = format!("/{FILE} on {device}");
    let wrong = |reason: String| {
        Problem::new(
            format!("The settings in {name} are not followed: {reason}."),
            "Give the machine another disc of this kind, or settings by another way.",
        )
    };
    if bytes.len() > LARGEST {
        return Err(wrong("it is far too large".to_owned()));
    }
    let text = str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let document = Document::parse(text).map_err(|_| wrong("it is not XML".to_owned()))?;
    let section = child(document.root_element(), "ProvisioningSection");
    let Some(set) = section.and_then(|it| child(it, "LinuxProvisioningConfigurationSet")) else {
        tracing::info!("{name} says nothing to a Linux system of Azure");
        return Ok(None);
    };
    let value = |name: &str| {
        let text = child(set, name)?.text()?.trim();
        (!text.is_empty()).then_some(text)
    };
    let file = match value("CustomData").or_else(|| value("UserData")) {
        None => None,
        Some(data) => {
            let data = base64::decode(data);
            let data = data.ok_or_else(|| wrong("CustomData is not base64".to_owned()))?;
            answer_file(&name, data)
        }
    };
    let host_name = value("HostName").map(str::to_owned);
    let is_empty = file.is_none() && host_name.is_none();
    Ok((!is_empty).then_some(Source {
        name,
        file,
        host_name,
    }))
}

/// The first element within `node` that has this name, in whichever name space.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    let mut elements = node.children().filter(Node::is_element);
    elements.find(|it| it.tag_name().name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<ns0:Environment \
             xmlns:ns0=\"http://schemas.dmtf.org/ovf/environment/1\" \
             xmlns:ns1=\"http://schemas.microsoft.com/windowsazure\"><ns1:ProvisioningSection>\
             <ns1:Version>1.0</ns1:Version><ns1:LinuxProvisioningConfigurationSet>{inner}\
             </ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection></ns0:Environment>"
        )
    }

    fn said(text: &str) -> Result<Option<Source>, String> {
        read("sr0", text.as_bytes()).map_err(|it| it.message)
    }

    #[test]
    fn host_name_and_custom_data_are_taken() {
        let text = environment(
            "<ns1:UserPassword>x</ns1:UserPassword><ns1:HostName>db-7</ns1:HostName>\
             <ns1:CustomData>dmVyc2lvbiA9\nIDEK</ns1:CustomData>",
        );
        let expected = Source {
            name: "/ovf-env.xml on sr0".to_owned(),
            file: Some(b"version = 1\n".to_vec()),
            host_name: Some("db-7".to_owned()),
        };
        assert_eq!(said(&text), Ok(Some(expected.clone())));
        assert_eq!(said(&format!("\u{feff}{text}")), Ok(Some(expected)));
        let script = environment("<ns1:CustomData>IyEvYmluL3NoCg==</ns1:CustomData>");
        assert_eq!(said(&script), Ok(None));
        assert_eq!(
            said("<Environment><PropertySection/></Environment>"),
            Ok(None)
        );
    }

    #[test]
    fn what_is_hostile_is_refused() {
        let entities = "<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>";
        let deep = "<a>".repeat(LARGEST / 3);
        let rows = [
            (String::new(), "it is not XML"),
            ("<a><b></a>".to_owned(), "it is not XML"),
            (entities.to_owned(), "it is not XML"),
            (deep, "it is not XML"),
            (" ".repeat(LARGEST + 1), "it is far too large"),
            (
                environment("<ns1:CustomData>%</ns1:CustomData>"),
                "CustomData is not base64",
            ),
        ];
        for (text, reason) in rows {
            let message = said(&text).unwrap_err();
            assert_eq!(
                message,
                format!("The settings in /ovf-env.xml on sr0 are not followed: {reason}.")
            );
        }
        assert!(read("sr0", b"<a>\xff</a>").is_err());
    }
}
