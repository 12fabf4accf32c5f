//! Many threads, each with a state of its own.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::content::Random;
use crate::field::{Field, Lane};
use crate::options::Options;
use crate::peers::Peer;
use crate::table::Table;

const THREADS: usize = 16;
const SIZE: usize = 4096;
/// So many saves by each thread in each turn.
const BATCH: usize = 60;

pub fn threads(options: &Options) -> Result<Table> {
    let mut field = Field::open(options, THREADS, SIZE)?;
    for round in 0..2 + options.times(15, 3) {
        if round == 2 {
            field.start();
        }
        field.round(turn)?;
    }
    Ok(Table {
        title: "16 threads",
        about:
            "Each saves 4 KiB again and again in a session, file or database of its own. The time \
                of all divided by the number of saves."
                .into(),
        columns: vec![field.column("4 KiB, per save")],
    })
}

fn turn(lane: &mut Lane) -> Result<()> {
    let barrier = Barrier::new(THREADS + 1);
    let save = |(n, peer): (usize, &mut Box<dyn Peer>)| {
        let mut random = Random(n as u64 + 1);
        let states: Vec<Vec<u8>> = (0..BATCH).map(|_| random.bytes(SIZE)).collect();
        let states: Vec<&[u8]> = states.iter().map(Vec::as_slice).collect();
        barrier.wait();
        peer.save_all(&states)
    };
    let save = &save;
    let elapsed = thread::scope(|scope| {
        let peers = lane.peers.iter_mut().enumerate();
        let threads: Vec<_> = peers.map(|it| scope.spawn(move || save(it))).collect();
        barrier.wait();
        let start = Instant::now();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread has panicked"))??;
        }
        Ok::<_, anyhow::Error>(start.elapsed())
    })?;
    lane.times.push(elapsed / (THREADS * BATCH) as u32);
    Ok(())
}
