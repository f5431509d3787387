//! stub
use std::path::Path;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "run" => {
            let path = Path::new(&args[2]);
            let text = std::fs::read_to_string(path).unwrap();
            let job = comity_jobs::job_file::read(&args[2], &text, path.parent().unwrap())
                .unwrap_or_else(|e| panic!("{e}"));
            let case = args.get(3).map(Into::into).unwrap_or_else(|| job.case_dir());
            let report = comity_jobs::run::run(&job, &case, &comity_jobs::progress::Silent)
                .unwrap_or_else(|e| panic!("{e}"));
            println!("{}", report.summary.markdown());
            println!("{}", serde_json::to_string(&report).unwrap());
        }
        _ => {}
    }
}
