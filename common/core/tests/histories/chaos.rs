//! One random thing after another: work, messages, people, faults. Then the faults stop and everything
//! must come to an end.

use umbra_core::cluster::{Event, Record, RecordKey};
use umbra_core::ids::Millis;
use umbra_core::lifecycle::AuditState;

use crate::machine::{Link, Up};
use crate::world::World;

impl World {
    /// A history of `moves` random moves.
    pub fn disturb(&mut self, moves: u32) {
        // From fair weather, in which much gets done, to storms.
        let weather = self.chance.between(3, 60) as usize;
        for _ in 0..moves {
            self.now = Millis(self.now.0 + self.chance.between(0, 6));
            match self.chance.below(1000) {
                0..300 => self.let_the_coordinator_read(),
                300..370 => {
                    let task = self.chance.below(self.tasks.len().max(1));
                    self.complete_task(task);
                }
                370..450 => self.wake_up(false),
                450..470 => self.submit(),
                470..476 => self.ask(),
                roll if roll < 476 + weather => self.misfortune(),
                _ => self.let_a_machine_act(),
            }
        }
    }

    fn let_the_coordinator_read(&mut self) {
        let open: Vec<_> = (0..self.links.len()).filter(|link| !self.links[*link].closed).collect();
        if let Some(link) = self.chance.pick(&open).copied() {
            self.read(link);
        }
    }

    fn wake_up(&mut self, promptly: bool) {
        let due = self.wake.is_some_and(|at| at <= self.now);
        if due || (!promptly && self.chance.one_in(20)) {
            self.step(Event::Tick);
        }
    }

    fn ask(&mut self) {
        let audits = self.audits();
        let Some((audit, state, _)) = self.chance.pick(&audits).cloned() else { return };
        if state.is_terminal() || self.chance.one_in(8) {
            self.tally.count("deletes asked");
            self.step(Event::DeleteAsked { audit });
        } else {
            self.tally.count("cancels asked");
            self.step(Event::CancelAsked { audit });
        }
    }

    fn let_a_machine_act(&mut self) {
        let machine = self.chance.below(self.machines.len());
        match self.chance.below(3) {
            0 => self.hear(machine),
            _ => self.work(machine),
        }
    }

    fn is_up(&self, machine: usize) -> bool {
        self.machines[machine].alive && !self.machines[machine].frozen
    }

    /// A machine connects, or takes in one message, or notices that its link is dead.
    fn hear(&mut self, machine: usize) {
        if !self.is_up(machine) {
            return;
        }
        let Some(link) = self.machines[machine].link else {
            self.connect(machine);
            return;
        };
        match self.links[link].down.pop_front() {
            Some(message) => self.machines[machine].hear(message, &mut self.blobs, &mut self.chance),
            None if self.links[link].broken => self.machines[machine].link = None,
            None => {}
        }
        self.leave_if_drained(machine);
    }

    fn connect(&mut self, machine: usize) {
        if self.cluster.is_none() {
            return;
        }
        let worker = self.machines[machine].id.clone();
        let up = self.machines[machine].hello().into();
        self.machines[machine].link = Some(self.links.len());
        let (down, refused) = Default::default();
        self.links.push(Link { worker, up, down, broken: false, closed: false, refused });
    }

    /// A slot of a machine goes on, connected or not.
    fn work(&mut self, machine: usize) {
        if !self.is_up(machine) {
            return;
        }
        let slots = self.machines[machine].job_slots();
        if let Some(slot) = self.chance.pick(&slots).copied() {
            self.work_slot(machine, slot);
        }
        self.leave_if_drained(machine);
    }

    fn work_slot(&mut self, machine: usize, slot: u32) {
        let said = self.machines[machine].work(slot, self.faults, &mut self.blobs, &mut self.chance);
        if let Some(message) = said {
            self.say(machine, message);
        }
    }

    fn say(&mut self, machine: usize, message: Up) {
        if let Some(link) = self.machines[machine].link
            && !self.links[link].broken
        {
            self.links[link].up.push_back(message);
        }
    }

    fn leave_if_drained(&mut self, machine: usize) {
        let drained = self.machines[machine].draining && self.machines[machine].is_idle();
        if drained && self.machines[machine].link.is_some_and(|link| !self.links[link].broken) {
            self.say(machine, Up::Bye);
            self.tally.count("drained");
            self.break_link(machine, false);
            let machine = &mut self.machines[machine];
            (machine.alive, machine.draining, machine.link) = (false, false, None);
        }
    }

    /// A link breaks; the last messages each way may be lost.
    fn break_link(&mut self, machine: usize, losing: bool) {
        let Some(link) = self.machines[machine].link else { return };
        let link = &mut self.links[link];
        link.broken = true;
        if losing {
            let (up, down) = (link.up.len(), link.down.len());
            link.up.truncate(self.chance.below(up + 1));
            link.down.truncate(self.chance.below(down + 1));
        }
    }

    fn misfortune(&mut self) {
        let machine = self.chance.below(self.machines.len());
        match self.chance.below(15) {
            0..3 => {
                self.tally.count("links broken");
                self.break_link(machine, true);
            }
            3..5 if self.is_up(machine) => {
                self.tally.count("machines frozen");
                self.machines[machine].frozen = true;
            }
            5 if self.is_up(machine) => {
                self.tally.count("machines killed");
                self.break_link(machine, true);
                self.machines[machine].die(&mut self.chance);
            }
            6 if self.is_up(machine) && !self.machines[machine].draining => {
                self.tally.count("drains");
                self.machines[machine].draining = true;
                self.say(machine, Up::Drain);
            }
            7 if self.chance.one_in(3) && self.cluster.is_some() => self.crash(),
            12 if self.is_up(machine) => {
                let lost = self.machines[machine].lose(&mut self.chance);
                self.say(machine, lost);
            }
            13..15 if self.is_up(machine) => {
                self.tally.count("machines broken");
                self.machines[machine].broken = true;
            }
            8 => self.now = Millis(self.now.0 + self.config.lease_ms + 20),
            _ => self.recover(machine),
        }
    }

    fn recover(&mut self, machine: usize) {
        if self.cluster.is_none() {
            self.restore();
        }
        let renamed = self.new_name();
        let renames = self.chance.one_in(4);
        let machine = &mut self.machines[machine];
        machine.frozen = false;
        machine.broken = false;
        if !machine.alive {
            machine.alive = true;
            if renames {
                machine.id = renamed;
            }
        }
    }

    /// The faults stop. Every audit must end and every slot come free, within a bound.
    pub fn settle(&mut self) {
        self.faults = false;
        if self.cluster.is_none() {
            self.restore();
        }
        for machine in 0..self.machines.len() {
            self.recover(machine);
        }
        self.machines[0].numerics = vec!["x".to_owned(), "y".to_owned()];
        self.machines[0].lost.clear();
        self.machines[0].memory.fill(0);
        self.machines.iter_mut().for_each(|machine| machine.slow = false);
        self.break_link(0, false);
        for _ in 0..10_000 {
            if self.is_quiet() {
                break;
            }
            self.round();
        }
        self.check_the_end();
    }

    fn round(&mut self) {
        self.now = Millis(self.now.0 + 7);
        self.wake_up(true);
        for machine in 0..self.machines.len() {
            self.recover_drained(machine);
            let waiting = self.machines[machine].link.map_or(1, |link| self.links[link].down.len() + 1);
            (0..waiting).for_each(|_| self.hear(machine));
            for slot in self.machines[machine].job_slots() {
                self.work_slot(machine, slot);
            }
            self.leave_if_drained(machine);
        }
        for link in 0..self.links.len() {
            let messages = if self.links[link].closed { 0 } else { self.links[link].up.len() + 1 };
            (0..messages).for_each(|_| self.read(link));
        }
        while !self.tasks.is_empty() {
            self.complete_task(0);
        }
    }

    fn recover_drained(&mut self, machine: usize) {
        if !self.machines[machine].alive {
            self.recover(machine);
        }
    }

    fn is_quiet(&self) -> bool {
        let Some(cluster) = &self.cluster else { return false };
        let ended = cluster.audits().all(|audit| audit.state.is_terminal());
        let free = cluster.workers().all(|worker| worker.connected && worker.busy == 0);
        let calm = self.wake.is_none_or(|at| at > self.now);
        ended
            && free
            && calm
            && self.machines.iter().all(|machine| machine.is_idle() && machine.link.is_some())
    }

    fn check_the_end(&mut self) {
        let status: Vec<_> = self.cluster.as_ref().map(|c| c.audits().collect()).unwrap_or_default();
        let workers: Vec<_> = self.cluster.as_ref().map(|c| c.workers().collect()).unwrap_or_default();
        assert!(
            self.is_quiet(),
            "S5, S8: something never ends: {status:?}\n{workers:?}\n{:?}",
            self.machines
        );
        self.check_results();
        for (audit, state, _) in self.audits() {
            match state {
                AuditState::Succeeded => self.tally.count("audits succeeded"),
                AuditState::Failed => self.tally.count("audits failed"),
                _ => self.tally.count("audits cancelled"),
            }
            self.step(Event::DeleteAsked { audit });
        }
        for _ in 0..50 {
            self.step(Event::Tick);
        }
        let left: Vec<_> = self.store.keys().filter(|key| **key != RecordKey::Cluster).collect();
        assert!(left.is_empty(), "{left:?} remain after everything was deleted");
        let only: Vec<_> = self.store.values().collect();
        assert!(matches!(only[..], [] | [Record::Cluster(_)]));
    }
}
