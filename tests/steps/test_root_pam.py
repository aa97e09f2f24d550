import pytest

from pipeline.steps.root_pam import chosen, common, read_profile

UNIX = """\
Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\tpam_unix.so nullok try_first_pass
Auth-Initial:
\t[success=end default=ignore]\tpam_unix.so nullok
Session-Type: Additional
Session:
\trequired\tpam_unix.so
"""
SSS = """\
Name: others
Default: yes
Priority: 128
Auth-Type: Primary
Auth-Final:
\t[success=end default=ignore]\tpam_sss.so use_first_pass
Session-Type: Additional
Session-Interactive-Only: yes
Session:
\toptional\tpam_sss.so
\toptional\tpam_more.so
"""
OFF = "Name: off\nDefault: no\nPriority: 900\nAuth-Type: Primary\nAuth:\n\trequired\tpam_off.so\n"
RIVAL = "Name: rival\nDefault: yes\nPriority: 9\nConflicts: other, unix\nAuth-Type: Primary\nAuth:\n\tx\n"
AUTH = "# auth\n$auth_primary\nauth\trequisite\tpam_deny.so\n$auth_additional\n# end\n"
QUIET = "$session_nonint_primary\nsession\trequisite\tpam_deny.so\n$session_nonint_additional\n# end\n"

PROFILES = {
    name: read_profile(text) for name, text in {"sss": SSS, "off": OFF, "rival": RIVAL, "unix": UNIX}.items()
}


def test_profiles_are_chosen_by_priority() -> None:
    names = [profile["Name"] for profile in chosen(PROFILES)]
    assert names == ["Unix authentication", "others"]


@pytest.mark.parametrize(
    ("template", "kind", "expected"),
    [
        (
            AUTH,
            "auth",
            "# auth\n"
            "auth\t[success=2 default=ignore]\tpam_unix.so nullok\n"
            "auth\t[success=1 default=ignore]\tpam_sss.so use_first_pass\n"
            "auth\trequisite\tpam_deny.so\n# end\n",
        ),
        (
            QUIET,
            "session-noninteractive",
            "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\tpam_deny.so\n"
            "session\trequired\tpam_unix.so\n# end\n",
        ),
        (
            QUIET.replace("_nonint", ""),
            "session",
            "session\t[default=1]\t\t\tpam_permit.so\nsession\trequisite\tpam_deny.so\n"
            "session\trequired\tpam_unix.so\n"
            "session\toptional\tpam_sss.so\nsession\toptional\tpam_more.so\n# end\n",
        ),
    ],
)
def test_a_common_file(template: str, kind: str, expected: str) -> None:
    assert common(template, kind, chosen(PROFILES)) == expected
