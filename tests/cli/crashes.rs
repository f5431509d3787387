//! Ends that nobody wants: kill -9, Ctrl-C, a full disk. What was reported done stays; a rerun completes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{ACCESS, Scratch, answer, lantern_job, published};

/// Every durable step of an act and of the log, by its name in the code.
const STEPS: [&str; 6] = [
    "before-statement",
    "after-statement",
    "after-move",
    "after-leaves",
    "after-checkpoint",
    "before-rename",
];

/// Gives a command again and again, killed at the n-th passing of each step, until it is not reached any more;
/// `then` looks at what is left, told whether the command came to its end.
fn killed_at_each(
    steps: &[&str],
    begin: &dyn Fn(&str) -> Command,
    ends_with: i32,
    then: &mut dyn FnMut(&str),
) {
    for step in steps {
        let mut passed = 0;
        loop {
            passed += 1;
            let place = format!("{step}-{passed}");
            let ended = begin(&place).env("COMITY_CRASH_AT", format!("{step}:{passed}")).output().unwrap();
            if ended.status.signal() != Some(9) {
                let err = String::from_utf8_lossy(&ended.stderr);
                assert_eq!(ended.status.code(), Some(ends_with), "ends where {step} is not reached: {err}");
                break;
            }
            then(&place);
        }
        assert!(passed > 1, "{step} was never reached");
    }
}

#[test]
fn kill_9_at_every_durable_step_of_a_run() {
    let scratch = Scratch::new();
    let undisturbed = answer(&scratch.lantern("undisturbed").exits(3).json());
    let begin = |case: &str| scratch.command(&["run", &lantern_job(), "--case", case, "--json"]);
    killed_at_each(&STEPS, &begin, 3, &mut |case| {
        let before = published(&scratch.path(case));
        let rerun = scratch.lantern(case).exits(3);
        assert_eq!(answer(&rerun.json()), undisturbed, "after {case}");
        let after = published(&scratch.path(case));
        for (path, bytes) in &before {
            assert_eq!(after.get(path), Some(bytes), "{}: lost or changed after {case}", path.display());
        }
        scratch.comity(&["doctor", "--case", case]).exits(0);
        scratch.comity(&["log", "verify", "--case", case]).exits(0);
        assert_eq!(fs::read_dir(scratch.path(case).join("tmp")).unwrap().count(), 0, "leftovers are swept");
        // an act and its statement: as many items as collections and readings of them, no more, no less
        assert_eq!(acts(&scratch, case), acts(&scratch, "undisturbed"), "after {case}");
    });
}

/// What the log states, counted by what it is about; a consultation more or less does not count.
fn acts(scratch: &Scratch, case: &str) -> BTreeMap<(String, String), usize> {
    let log = scratch.comity(&["log", "show", "--case", case, "--json"]).exits(0).json();
    let mut acts = BTreeMap::new();
    for entry in log["entries"].as_array().unwrap() {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        if text("what") != "consultation" {
            *acts.entry((text("what"), entry["subject"].to_string())).or_default() += 1;
        }
    }
    acts
}

#[test]
fn kill_9_at_every_durable_step_of_a_bag() {
    let scratch = Scratch::new();
    scratch.lantern("case").exits(3);
    let key = scratch.member("case", "releaser");
    let trust = scratch.trust("case");
    // each for another recipient, since the same disclosure is stated once
    let create_for = |recipient: &str, to: &str| {
        let mut arguments = vec!["bag", "create", "--kind", "findings", "--recipient-name", recipient];
        arguments.extend(["--case", "case", "--key", key.to_str().unwrap(), to]);
        scratch.command(&arguments)
    };
    let create = |place: &str| create_for(place, &format!("{place}.bag"));
    let steps = ["after-leaves", "after-checkpoint", "before-rename", "before-publish", "after-publish"];
    killed_at_each(&steps, &create, 0, &mut |place| {
        scratch.comity(&["log", "verify", "--case", "case"]).exits(0);
        let bags = [format!("{place}.bag"), format!("{place}-again.bag")];
        let manifests = bags.each_ref().map(|bag| {
            if !scratch.path(bag).exists() {
                let made = create_for(place, bag).output().unwrap();
                assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
            }
            scratch
                .comity(&["verify", bag, "--trust", trust.to_str().unwrap(), "--memory", "memory"])
                .exits(0);
            fs::read(scratch.path(bag).join("tagmanifest-sha256.txt")).unwrap()
        });
        assert_eq!(manifests[0], manifests[1], "the same disclosure is the same bag, byte for byte");
        let left = fs::read_dir(scratch.path(""))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".partial"));
        assert_eq!(left.count(), 0, "nothing half done is left");
    });
}

/// Logs of the job that is interrupted: enough to be in the midst of it, few enough for a slow disk.
const LOGS: usize = 150;

/// A job with many small logs, so that there are many places to end at.
fn many_logs(scratch: &Scratch) {
    for n in 0..LOGS {
        scratch.write(&format!("logs/{n:04}.log"), ACCESS.replace("/a", &format!("/{n}")).repeat(20));
    }
    scratch.small_job("logs/*.log", "");
}

#[test]
fn ctrl_c_leaves_the_case_sound() {
    let scratch = Scratch::new();
    many_logs(&scratch);
    let undisturbed =
        answer(&scratch.comity(&["run", "job.toml", "--case", "undisturbed", "--json"]).exits(0).json());
    let mut child = scratch
        .command(&["run", "job.toml", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let items = |case: &Path| fs::read_dir(case.join("evidence")).map_or(0, |d| d.count());
    let case = scratch.path("case");
    while items(&case) < 3 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    if ended.status.code() == Some(0) {
        return println!("skipped: the run was over before the signal came");
    }
    assert_eq!(ended.status.code(), Some(130), "{err}");
    assert!(err.contains("error: interrupted"), "{err}");
    let stored = items(&case);
    assert!((3..LOGS).contains(&stored), "{stored} items stored");
    scratch.comity(&["doctor", "--case", "case"]).exits(0);
    let rerun = scratch.comity(&["run", "job.toml", "--json"]).exits(0).json();
    assert_eq!(answer(&rerun), undisturbed);
}

/// A small file system, taken away at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|m| m.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let scratch = Scratch::new();
    let undisturbed = answer(&scratch.lantern("undisturbed").exits(3).json());
    for size in ["64k", "200k", "400k"] {
        let Some(disk) = SmallDisk::mount(scratch.path("disk"), &format!("size={size}")) else {
            return println!("skipped: no file system can be mounted here");
        };
        let full = scratch.lantern("disk/case");
        let failed = full.exits(1).says(&["error: ", "no space left on the disk", "hint: free some space"]);
        assert!(failed.json()["error"].as_str().unwrap().contains("no space left"), "{}", failed.out);
        let before = published(&scratch.path("disk/case"));
        let more = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk.0).status().unwrap();
        assert!(more.success());
        let rerun = scratch.lantern("disk/case").exits(3).json();
        assert_eq!(answer(&rerun), undisturbed, "after {size}");
        let after = published(&scratch.path("disk/case"));
        assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "nothing stored is lost");
        scratch.comity(&["doctor", "--case", "disk/case"]).exits(0);
    }
}
