//! Ends that nobody wants: kill -9, Ctrl-C, a full disk. What was reported done stays; a rerun completes.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{ACCESS, Scratch, answer, lantern_job, published};

#[test]
fn kill_9_at_every_point_of_publication() {
    let scratch = Scratch::new();
    let undisturbed = answer(&scratch.lantern("undisturbed").exits(3).json());
    for point in ["before-publish", "after-publish", "before-rename"] {
        let mut passed = 0;
        loop {
            passed += 1;
            let case = format!("{point}-{passed}");
            let mut command = scratch.command(&["run", &lantern_job(), "--case", &case, "--json"]);
            let status = command.env("COMITY_CRASH_AT", format!("{point}:{passed}")).output().unwrap().status;
            if status.signal() != Some(9) {
                assert_eq!(status.code(), Some(3), "the run completes when the point is not reached");
                break;
            }
            let before = published(&scratch.path(&case));
            let rerun = scratch.lantern(&case).exits(3);
            assert_eq!(answer(&rerun.json()), undisturbed, "after {point}:{passed}");
            let after = published(&scratch.path(&case));
            for (path, bytes) in &before {
                assert_eq!(
                    after.get(path),
                    Some(bytes),
                    "{}: lost or changed after {point}:{passed}",
                    path.display()
                );
            }
            scratch.comity(&["doctor", "--case", &case]).exits(0);
            assert_eq!(
                fs::read_dir(scratch.path(&case).join("tmp")).unwrap().count(),
                0,
                "leftovers are swept"
            );
        }
        assert!(passed > 1, "{point} was never reached");
    }
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
