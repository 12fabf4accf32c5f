//! Looks at every state of the protocol, within a bound, and sees that planted faults are found.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use pitstop_model::{Action, Kind, PROPERTIES, Planted, State, World};
use stateright::{Checker, HasDiscoveries, Model, Property};

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

/// What hosts do who save, also by leases, prune and collect what is left.
const SAVING: [Kind; 6] =
    [Kind::Save, Kind::Acquire, Kind::Write(0), Kind::Release(0), Kind::Prune, Kind::Collect];

/// What hosts do who create sessions, remove them, put them into the trash and take them out.
const MOVING: [Kind; 7] = [
    Kind::Create,
    Kind::Remove(0),
    Kind::Trash(0),
    Kind::Restore { key: 0, to: 0 },
    Kind::Restore { key: 0, to: 1 },
    Kind::Delete { key: 0 },
    Kind::SweepCopy { key: 0 },
];

/// Looks at every state, or until a property does not hold: which, and the way to that.
fn look(world: World) -> (usize, Vec<(&'static str, Vec<Action>)>) {
    let (start, what) = (Instant::now(), format!("{world:?}"));
    let checker = Protocol(world).checker().threads(2).finish_when(HasDiscoveries::Any);
    let checker = checker.spawn_bfs().join();
    let found = checker.discoveries().into_iter();
    let found: Vec<_> = found.map(|(name, path)| (name, path.into_actions())).collect();
    let states = checker.unique_state_count();
    eprintln!("{states} states, {} steps deep, {:?}: {what}", checker.max_depth(), start.elapsed());
    (states, found)
}

fn world(menu: &[Kind], ops: usize, [faults, stills, kills]: [u8; 3]) -> World {
    World { planted: Planted::Nothing, menu: menu.to_vec(), ops, faults, stills, kills }
}

/// The bound: three hosts, and so many operations, lost or late requests, sleepers and kills as each of these has.
#[test]
fn the_protocol_holds_in_every_state() {
    let worlds = [
        world(&SAVING, 2, [1, 1, 1]),
        world(&[Kind::Save, Kind::Prune], 3, [1, 0, 0]),
        world(&[Kind::Acquire, Kind::Write(0)], 3, [1, 1, 1]),
        world(&MOVING, 3, [0, 0, 1]),
        world(&MOVING[1..], 3, [1, 0, 0]),
    ];
    let mut all = 0;
    for world in worlds {
        let (states, found) = look(world);
        assert!(found.is_empty(), "{found:?}");
        all += states;
    }
    eprintln!("{all} states");
    assert!(all > 1_000_000);
}

/// Each is found, and what finds it finds nothing in the protocol as it is.
#[test]
fn planted_faults_are_found() {
    let restore = |to| Kind::Restore { key: 0, to };
    let trash = [Kind::Trash(0), restore(0), restore(1)];
    let lease = [Kind::Acquire, Kind::Write(0)];
    type Case<'a> = (Planted, &'a [Kind], [u8; 3], &'a [&'a str]);
    let cases: [Case; 9] = [
        (Planted::UnconditionalCopy, &trash, [1, 0, 0], &["in one place", "named is there"]),
        (
            Planted::CopyDeleted,
            &[Kind::Trash(0), restore(0), Kind::Delete { key: 0 }],
            [1, 0, 0],
            &["in one place", "named is there"],
        ),
        (Planted::NamedCopyDeleted, &trash, [1, 0, 0], &["in one place", "named is there"]),
        (
            Planted::SaveKnownByTable,
            &[Kind::Save, Kind::Prune],
            [1, 0, 0],
            &["told is true", "once"],
        ),
        (Planted::SharedHeartbeat, &lease, [0, 1, 1], &["keep nobody out"]),
        (Planted::NoFence, &[Kind::Save, Kind::Collect], [0, 0, 0], &["named is there"]),
        (Planted::NoKeepOut, &trash, [0, 0, 0], &["in one place", "named is there"]),
        (Planted::UnknownIsNo, &[Kind::Save], [1, 0, 0], &["named is there"]),
        (
            Planted::BlindPut,
            &[Kind::Save],
            [0, 0, 0],
            &["told is true", "rise by one", "named is there", "in one place"],
        ),
    ];
    for (planted, menu, bounds, expected) in cases {
        let (_, found) = look(World { planted, ..world(menu, 3, bounds) });
        let (name, way) = found.first().unwrap_or_else(|| panic!("{planted:?} is not found"));
        eprintln!("{planted:?}: {name}, by {way:?}");
        assert!(expected.iter().any(|it| name.contains(it)), "{planted:?}: {found:?}");
    }
}
