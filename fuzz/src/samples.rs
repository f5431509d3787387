//! Statements to begin with: every type of event, a run, a verdict.

use comity_provenance::{Sha256Digest, envelope};

use crate::{custodian, node};

/// The payloads of the statements.
pub fn statements() -> Vec<String> {
    let evidence = Sha256Digest::of(b"evidence");
    let in_evidence = format!("evidence/{evidence}");
    let key = Sha256Digest::of(&custodian().public().wire());
    let query = Sha256Digest::of(b"select 1");
    let none = Sha256Digest::of(b"{}");
    let tree =
        format!(r#""details":{{"recordTree":{{"framing":"lines/v1","records":"17","root":"{evidence}"}}}}"#);
    let records =
        format!(r#""records":[{{"name":"intake.json","digest":{{"sha256":"{none}"}},"content":"e30="}}]"#);
    let all = format!(
        r#""recipient":"b@c.example","legalBasis":{{"instrument":"StPO","reference":"AZ 1","digest":"{none}"}},"handling":{{"tlp":"amber","pap":"green","caveats":["a"]}},"retention":{{"until":"2027-01-01","rule":"§ 489"}},"decision":{{"policyDigest":"{none}","result":"permit","reasons":["r"]}},"method":{{"tool":"comity","version":"0.1.0","settingsDigest":"{none}"}}"#
    );
    vec![
        custody("collection", "node", &in_evidence, evidence, &[&records, &tree]),
        custody("collection", "node", &format!("allow-lists/{evidence}"), evidence, &[&records]),
        custody(
            "consultation",
            "analyst",
            "query",
            query,
            &[r#""details":{"what":"sql","query":"select 1"}"#],
        ),
        custody(
            "disclosure",
            "node",
            "data/report.html",
            evidence,
            &[&all, r#""details":{"kind":"findings","withheld":["1-1","3-4"]}"#],
        ),
        custody("seal", "evidence", "tagmanifest-sha256.txt", evidence, &[r#""details":{"kind":"feed"}"#]),
        custody(
            "erasure",
            "custodian",
            &in_evidence,
            evidence,
            &[r#""details":{"reason":"law","leaves":["0-0"]}"#],
        ),
        custody("membership", "custodian", "key", key, &[]),
        custody("revocation", "custodian", "key", key, &[r#""details":{"since":"2026-02-01T00:00:00.5Z"}"#]),
        custody("hold", "node", "ä\\u0007\\\"", evidence, &[r#""details":{}"#]),
        provenance(),
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"t","digest":{{"sha256":"{none}"}}}}],"predicateType":"https://in-toto.io/attestation/test-result/v0.1","predicate":{{"result":"WARNED","configuration":[{{"name":"allowed_signers","digest":{{"sha256":"{none}"}}}}],"url":"https://x.example","passedTests":["intact"],"warnedTests":["attributed"],"failedTests":["grounded"]}}}}"#
        ),
    ]
}

/// A custody event: of this type, by an actor in this role, about one thing, with further members.
pub fn custody(event: &str, role: &str, name: &str, sha256: Sha256Digest, more: &[&str]) -> String {
    let more: String = more.iter().map(|member| format!(",{member}")).collect();
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"{name}","digest":{{"sha256":"{sha256}"}}}}],"predicateType":"urn:comity:custody-event:v1","predicate":{{"eventId":"ffffffff-ffff-4fff-bfff-ffffffffffff","nonce":"abababababababababababababababab","eventType":"{event}","time":"2026-03-01T09:00:00Z","clock":"system","actor":{{"id":"a@b.example","role":"{role}","organisation":"LKA","jurisdiction":"DE"}},"caseId":"2026-014","purpose":"prosecution"{more}}}}}"#
    )
}

/// A run.
pub fn provenance() -> String {
    let (sha256, node) = (Sha256Digest::of(b"run"), node().public().fingerprint());
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"data/results/sightings.parquet","digest":{{"sha256":"{sha256}"}},"annotations":{{"rows":"9"}}}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{{"buildDefinition":{{"buildType":"urn:comity:correlate:v1","externalParameters":{{"parameters":{{"min":"2","note":null}}}},"internalParameters":{{"nonce":"07070707070707070707070707070707"}},"resolvedDependencies":[{{"name":"evidence/x","uri":"file:x","digest":{{"sha256":"{sha256}"}}}}]}},"runDetails":{{"builder":{{"id":"urn:comity:node:{node}","version":{{"comity":"0.1.0"}}}},"metadata":{{"invocationId":"run","startedOn":"2026-03-01T09:00:00Z","finishedOn":"2026-03-01T09:00:01Z"}},"byproducts":[{{"name":"plan.txt","digest":{{"sha256":"{sha256}"}}}}]}}}}}}"#
    )
}

/// The bytes that a payload's signature is over (DSSE, protocol.md), made here once more.
pub fn pae(payload: &[u8]) -> Vec<u8> {
    let kind = envelope::PAYLOAD_TYPE;
    [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat()
}
