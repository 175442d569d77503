//! What is taken, and what is refused.

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_is_sound_and_its_help_fits() {
    let mut command = Arguments::command();
    command.clone().debug_assert();
    command.build();
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        let help = command.clone().render_long_help().to_string();
        let name = command.get_name();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
        let is_plain = ["help", "schema", "cancel", "resume", "unpin", "logout"].contains(&name);
        assert!(is_plain || help.contains("Examples:"), "{name} shows no example");
    }
}

#[test]
fn no_flag_takes_a_token() {
    for flag in ["--token", "--password"] {
        assert!(Arguments::try_parse_from(["moorage", "runs", flag, "x"]).is_err(), "{flag}");
    }
    assert!(Arguments::try_parse_from(["moorage", "rollback", "a/b"]).is_err(), "it has to be said to what");
    for flag in ["--at", "--resume-at"] {
        let to = |moment| ["moorage", "rollback", "a/b", "--at", "2026-01-31T23:59:59Z", flag, moment];
        let to = |moment| {
            if flag == "--at" { vec!["moorage", "rollback", "a/b", flag, moment] } else { to(moment).to_vec() }
        };
        assert!(Arguments::try_parse_from(to("2026-01-31T23:59:59Z")).is_ok(), "{flag}");
        for wrong in ["yesterday", "2026-01-31", ""] {
            let error = Arguments::try_parse_from(to(wrong)).unwrap_err().to_string();
            assert!(error.contains("2026-01-31T23:59:59Z"), "{flag} {wrong}: {error}");
        }
    }
}
