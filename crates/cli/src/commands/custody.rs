//! `member`, `log`, `prove`, `erase`: what is signed and logged in a case.

use std::io::{self, Write};
use std::path::Path;

use comity_jobs::summary::plain;
use comity_jobs::verify::{self, Fault};
use comity_jobs::{erase as erasing, logbook, members, prove as proving};
use serde_json::json;

use super::{open_case, print_json};
use crate::args::{
    Erase, Global, LogCosign, LogProve, LogWitness, MemberAdd, MemberList, MemberRevoke, MemberRole, Prove,
    Trusting,
};
use crate::progress::{Listener, listen_for_ctrl_c};
use crate::status::{self, Failure, Outcome, Status};
use crate::table::{Layout, terminal_width};

pub(super) fn member_add(args: &MemberAdd, global: &Global) -> Outcome {
    let role = match args.role {
        MemberRole::Custodian => members::MemberRole::Custodian,
        MemberRole::Analyst => members::MemberRole::Analyst,
        MemberRole::Submitter => members::MemberRole::Submitter,
        MemberRole::Releaser => members::MemberRole::Releaser,
        MemberRole::Auditor => members::MemberRole::Auditor,
    };
    let member = members::Member {
        name: args.name.clone(),
        organisation: args.organisation.clone(),
        jurisdiction: args.jurisdiction.to_string(),
        role,
        key: members::public_key(&args.public_key)?,
        valid_from: args.valid_from.clone(),
        valid_until: args.valid_until.clone(),
    };
    let case = open_case(global)?;
    let signer = args.key.as_deref().map(members::private_key).transpose()?;
    members::add(&case, &member, signer.as_ref(), &Listener::new(global))?;
    match global.json {
        true => print_json(&json!({ "case": case.path(), "member": member }))?,
        false => writeln!(
            anstream::stdout(),
            "{} is {} of the case, by the key {}",
            plain(&member.name),
            role.as_str(),
            member.key.fingerprint()
        )?,
    }
    Ok(Status::Done)
}

pub(super) fn member_list(args: &MemberList, global: &Global) -> Outcome {
    let case = open_case(global)?;
    let all = &case.identity().members;
    if args.allowed_signers {
        io::stdout().write_all(members::trust_text(&case)?.as_bytes())?;
    } else if global.json {
        print_json(&json!({ "case": case.path(), "members": all }))?;
    } else if all.is_empty() {
        writeln!(anstream::stdout(), "no members yet; `comity member add` adds one")?;
    } else {
        let header = ["name", "role", "organisation", "in", "key", "until"];
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|m| {
                let until = m.valid_until.clone().unwrap_or_default();
                let cells = [
                    &m.name,
                    m.role.as_str(),
                    &m.organisation,
                    &m.jurisdiction,
                    &m.key.fingerprint(),
                    &until,
                ];
                cells.iter().map(|cell| plain(cell)).collect()
            })
            .collect();
        table(&header, &rows)?;
    }
    Ok(Status::Done)
}

fn table(header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let layout = Layout::fit(header, vec![false; header.len()], rows.iter(), terminal_width());
    layout.header(&mut out, header)?;
    rows.iter().try_for_each(|row| layout.row(&mut out, row))?;
    out.flush()
}

pub(super) fn member_revoke(args: &MemberRevoke, global: &Global) -> Outcome {
    let case = open_case(global)?;
    let signer = args.key.as_deref().map(members::private_key).transpose()?;
    members::revoke(&case, &args.name, args.since.as_deref(), signer.as_ref(), &Listener::new(global))?;
    match global.json {
        true => print_json(&json!({ "case": case.path(), "revoked": args.name }))?,
        false => writeln!(anstream::stdout(), "the key of {} is revoked", plain(&args.name))?,
    }
    Ok(Status::Done)
}

pub(super) fn erase(args: &Erase, global: &Global) -> Outcome {
    let case = open_case(global)?;
    let signer = members::private_key(&args.key)?;
    let id = erasing::erase(&case, &args.id, &args.reason, Some(&signer), &Listener::new(global))?;
    match global.json {
        true => print_json(&json!({ "case": case.path(), "erased": id }))?,
        false => writeln!(anstream::stdout(), "{id} is erased; its tombstone is signed and logged")?,
    }
    Ok(Status::Done)
}

pub(super) fn prove(args: &Prove, global: &Global) -> Outcome {
    let case = open_case(global)?;
    listen_for_ctrl_c();
    let listener = Listener::new(global);
    let proof = proving::prove(&case, args.run.as_deref(), &args.sighting, &listener);
    listener.finish();
    give(args.out.as_deref(), proof?.as_bytes())
}

/// Writes what a command made: to a file, or to stdout.
pub(super) fn give(out: Option<&Path>, bytes: &[u8]) -> Outcome {
    match out {
        Some(path) => members::write_out(path, bytes)?,
        None => io::stdout().write_all(bytes)?,
    }
    Ok(Status::Done)
}

pub(super) fn log_show(global: &Global) -> Outcome {
    let case = open_case(global)?;
    let entries = logbook::entries(&case, &Listener::new(global))?;
    if global.json {
        print_json(&json!({ "case": case.path(), "entries": entries }))?;
        return Ok(Status::Done);
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            let more = if e.subject.len() > 1 {
                format!(" and {} more", e.subject.len() - 1)
            } else {
                String::new()
            };
            let about = format!("{}{more}", e.subject.first().map_or("", String::as_str));
            vec![e.index.to_string(), e.time.clone(), e.what.clone(), plain(&about)]
        })
        .collect();
    table(&["index", "time", "what", "about"], &rows)?;
    Ok(Status::Done)
}

pub(super) fn log_verify(global: &Global) -> Outcome {
    let case = open_case(global)?;
    match logbook::recompute(&case, &Listener::new(global))? {
        Err(fault) => Ok(wrong(&fault, global)?),
        Ok(found) => {
            match global.json {
                true => print_json(&found)?,
                false => writeln!(
                    anstream::stdout(),
                    "The log is what the statements say: {} entries, root {}\n  {}{}",
                    found.size,
                    found.root,
                    plain(&found.origin),
                    match found.cosigned.is_empty() {
                        true => "\n  no partner cosigned it yet".to_owned(),
                        false => format!("\n  cosigned by {}", plain(&found.cosigned.join(", "))),
                    }
                )?,
            }
            Ok(Status::Done)
        }
    }
}

/// Says what does not hold.
pub(super) fn wrong(fault: &Fault, global: &Global) -> io::Result<Status> {
    if global.json {
        print_json(&json!({ "error": fault.message, "kind": fault.kind }))?;
    }
    status::fault(fault);
    Ok(Status::Integrity)
}

pub(super) fn log_prove(args: &LogProve, global: &Global) -> Outcome {
    let proof = logbook::prove(&open_case(global)?, args.index, &Listener::new(global))?;
    io::stdout().write_all(proof.as_bytes())?;
    Ok(Status::Done)
}

/// The trust file and the memory that a verifier names, or has where they are expected.
pub(super) fn memory_of(trusting: &Trusting) -> Result<std::path::PathBuf, Failure> {
    trusting.memory.clone().or_else(verify::default_memory).ok_or_else(|| {
        Failure::Usage("nowhere to remember checkpoints".into(), Some("give --memory DIR".into()))
    })
}

pub(super) fn log_cosign(args: &LogCosign, global: &Global) -> Outcome {
    let Some(trust) = &args.trusting.trust else {
        let hint = "give --trust FILE: the log's key comes from your own trust file".to_owned();
        return Err(Failure::Usage("nobody is trusted".into(), Some(hint)));
    };
    let trust = verify::read_trust(trust)?;
    let key = members::private_key(&args.key)?;
    let memory = memory_of(&args.trusting)?;
    match logbook::cosign(&args.checkpoint, &args.leaves, &trust, &memory, &args.name, &key)? {
        Ok(signed) => {
            io::stdout().write_all(signed.as_bytes())?;
            Ok(Status::Done)
        }
        Err(fault) => Ok(wrong(&fault, global)?),
    }
}

pub(super) fn log_witness(args: &LogWitness, global: &Global) -> Outcome {
    let case = open_case(global)?;
    match logbook::witness(&case, &args.file, &Listener::new(global))? {
        Ok(size) => {
            match global.json {
                true => print_json(&json!({ "case": case.path(), "witnessed": size }))?,
                false => writeln!(anstream::stdout(), "the first {size} entries of the log are witnessed")?,
            }
            Ok(Status::Done)
        }
        Err(fault) => Ok(wrong(&fault, global)?),
    }
}

/// A proof that somebody sent.
pub(super) fn verify_proof(
    path: &Path,
    statement: Option<&Path>,
    trust: Option<&Path>,
    global: &Global,
) -> Outcome {
    let trust = trust.map(verify::read_trust).transpose()?;
    let proven = match proving::check(path, statement, trust.as_ref())? {
        Err(fault) => return Ok(wrong(&fault, global)?),
        Ok(proven) => proven,
    };
    let known = proven.trusted.is_some();
    if global.json {
        print_json(&proven)?;
    } else {
        let mut out = anstream::stdout().lock();
        writeln!(out, "Proven: {} of {}", numbers(&proven.records), plain(&proven.subject))?;
        for text in &proven.texts {
            writeln!(out, "  {}", plain(text))?;
        }
        let who = proven.trusted.as_ref().map_or_else(
            || format!("{}, whom nobody told you to trust: a claim", proven.signer),
            |who| format!("{} ({})", plain(who), proven.signer),
        );
        writeln!(
            out,
            "  committed to by {who}, at {} by its clock, in case {}",
            proven.stated_at,
            plain(&proven.case)
        )?;
        if !proven.context.is_empty() {
            writeln!(out, "  read with {}", numbers(&proven.context))?;
        }
        writeln!(out, "  not shown: that this is the file with that SHA-256")?;
        out.flush()?;
    }
    Ok(if known { Status::Done } else { Status::Incomplete })
}

fn numbers(records: &[u64]) -> String {
    let list: Vec<String> = records.iter().take(8).map(ToString::to_string).collect();
    let more = records.len().saturating_sub(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("record{} {}{more}", if records.len() == 1 { "" } else { "s" }, list.join(", "))
}
