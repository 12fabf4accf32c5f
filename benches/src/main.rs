//! Measures Pitstop beside its peers, all under the same promise: what is saved is on stable storage
//! when the call returns. Prints Markdown; docs/benchmarks.md says what the rows mean.

mod content;
mod device;
mod field;
mod growth;
mod list;
mod load;
mod options;
mod peers;
mod save;
mod system;
mod table;
mod threads;

use anyhow::Result;
use options::Options;
use table::Table;

type Work = fn(&Options) -> Result<Table>;

/// What is measured, by the names that choose it on the command line.
const WORKS: [(&str, Work); 8] = [
    ("save", save::full),
    ("change", save::changed),
    ("growth", growth::growing),
    ("json", growth::json),
    ("load", load::load),
    ("threads", threads::threads),
    ("list", list::list),
    ("device", device::device),
];

fn main() -> Result<()> {
    let options = Options::from_arguments()?;
    println!("{}\n", system::describe(&options)?);
    for (name, work) in WORKS {
        if options.works.is_empty() || options.works.iter().any(|it| it == name) {
            let start = std::time::Instant::now();
            println!("{}", work(&options)?);
            eprintln!("{name}: {:.0} s", start.elapsed().as_secs_f64());
        }
    }
    println!("Load averages at the end: {}.", system::load());
    Ok(())
}
