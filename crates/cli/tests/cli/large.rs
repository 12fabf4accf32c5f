//! Checkpoints that are larger than memory.

use super::environment::Environment;

/// In a third of the memory that the checkpoint would take: in and out, by pipes and by files.
#[test]
fn a_checkpoint_may_be_larger_than_memory() {
    let it = Environment::new();
    it.shell(
        "set -e; ulimit -v 50000
         state() { yes 'one line of a long state' | head -c 150000000; }
         state | \"$P\" -q save --create journal
         test \"$(state | cksum)\" = \"$(\"$P\" load journal | cksum)\"
         \"$P\" list --ids
         echo small | \"$P\" -q save journal
         \"$P\" load journal
         \"$P\" load --revision 1 journal | tail -c 5
         \"$P\" -q remove journal
         truncate -s 150000000 holes
         \"$P\" -q save --create --format plain plain holes
         \"$P\" -q load -o out plain
         cmp holes out && echo the same",
    )
    .code(0)
    .says("")
    .prints("journal\nsmall\ntate\nthe same\n");
}

#[test]
fn a_source_that_ends_in_an_error_saves_nothing() {
    let it = Environment::new();
    it.feed(b"kept", ["save", "-qc", "job"]).code(0);
    let ended = it.run(["save", "job", "."]).code(1).prints("");
    ended.says(
        "error: cannot read .
         cause: Is a directory (os error 21)
         hint: nothing was saved; the checkpoint before is unchanged",
    );
    it.run(["save", "--create", "new", "."]).code(1);
    it.run(["list", "--ids"]).prints("job\n");
    it.run(["load", "job"]).prints("kept");
}
