//! The batch jobs of comity, and the job file that declares them.

pub mod job_file;
