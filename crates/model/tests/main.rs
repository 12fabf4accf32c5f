//! Looks at every state of the protocol, within a bound, and sees that planted faults are found.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use pitstop_model::{Action, Kind, PROPERTIES, Planted, State, World};
use stateright::{Checker, Model, Property};

struct Protocol(World);

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.0.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.0.actions(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.0.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! always {
            ($($index:literal),*) => {
                vec![$(Property::always(PROPERTIES[$index].0, |it: &Self, state| {
                    PROPERTIES[$index].1(&it.0, state)
                })),*]
            };
        }
        always![0, 1, 2, 3, 4, 5, 6]
    }
}

/// Saves by whoever comes, writers that stand still, and prunes.
fn saving(ops: usize) -> World {
    let menu = vec![
        Kind::Save,
        Kind::Acquire,
        Kind::Write(0),
        Kind::Release(0),
        Kind::Prune,
        Kind::Collect,
    ];
    World { planted: Planted::Nothing, menu, ops, faults: 1, stills: 1, kills: 1 }
}

/// Sessions that go and come back.
fn moving(ops: usize) -> World {
    let menu = vec![
        Kind::Create,
        Kind::Remove(0),
        Kind::Trash(0),
        Kind::Restore { key: 0, to: 0 },
        Kind::Restore { key: 0, to: 1 },
        Kind::Delete { key: 0 },
        Kind::SweepCopy { key: 0 },
    ];
    World { planted: Planted::Nothing, menu, ops, faults: 1, stills: 0, kills: 1 }
}

/// The properties that do not hold, with the shortest way to that, after at most so many states; and how many were seen.
fn broken(world: World, most: usize) -> (Vec<(&'static str, Vec<Action>)>, usize) {
    let start = Instant::now();
    let checker = Protocol(world).checker().threads(2).target_state_count(most).spawn_bfs().join();
    let states = checker.unique_state_count();
    let found = checker.discoveries();
    eprintln!("{states} states, {} steps deep, {:?}", checker.max_depth(), start.elapsed());
    (found.into_iter().map(|(name, path)| (name, path.into_actions())).collect(), states)
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |it| it.parse().unwrap())
}

#[test]
fn measure_moving() {
    let mut world = moving(number("OPS", 3));
    world.faults = number("FAULTS", 1) as u8;
    world.kills = number("KILLS", 1) as u8;
    let (found, _) = broken(world, number("MOST", 6_000_000));
    eprintln!("{found:?}");
}

#[test]
fn measure_saving() {
    let mut world = saving(number("OPS", 3));
    world.faults = number("FAULTS", 1) as u8;
    world.kills = number("KILLS", 1) as u8;
    world.stills = number("STILLS", 1) as u8;
    let (found, _) = broken(world, number("MOST", 6_000_000));
    eprintln!("{found:?}");
}

#[test]
fn planted_faults_are_found() {
    let restore = |to| Kind::Restore { key: 0, to };
    let write = [Kind::Acquire, Kind::Write(0)];
    let cases: [(Planted, &[Kind], [u8; 3], &str); 8] = [
        (Planted::UnconditionalCopy, &[Kind::Trash(0), restore(1)], [1, 0, 0], "in one place"),
        (Planted::NamedCopyDeleted, &[Kind::Trash(0), restore(1)], [1, 0, 0], "in one place"),
        (Planted::SaveKnownByTable, &[Kind::Save, Kind::Prune], [1, 0, 0], "takes effect once"),
        (Planted::SharedHeartbeat, &write, [0, 1, 1], "keep nobody out"),
        (Planted::NoFence, &[Kind::Save, Kind::Collect], [0, 0, 0], "named is there"),
        (Planted::NoKeepOut, &[Kind::Trash(0), restore(0), restore(1)], [0, 0, 0], "in one place"),
        (Planted::UnknownIsNo, &[Kind::Save], [1, 0, 0], "named is there"),
        (Planted::BlindPut, &[Kind::Save], [0, 0, 0], "is told is true"),
    ];
    for (planted, menu, [faults, stills, kills], property) in cases {
        let world = |planted| World { planted, menu: menu.to_vec(), ops: 3, faults, stills, kills };
        let (found, _) = broken(world(planted), usize::MAX);
        eprintln!("{planted:?}: {found:?}");
        assert!(found.iter().any(|(name, _)| name.contains(property)), "{planted:?}: {found:?}");
        // It is the planted fault that is found.
        let (found, _) = broken(world(Planted::Nothing), usize::MAX);
        assert!(found.is_empty(), "{planted:?}: {found:?}");
    }
}
