from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from shipper.entries import Ticket
from shipper.source.positions.tickets import Tickets
from tests.tickets import ticket

OWNER = ticket().owner


@dataclass
class File:
    committed: int = 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=20), st.data())
def test_only_the_settled_prefix_is_committed_whatever_the_order_of_answers(
    blocks: list[tuple[int, int]], data: st.DataObject
) -> None:
    files, tickets = [File(), File(), File()], Tickets(OWNER)
    end, opened = 0, list[tuple[File, int, int, Ticket]]()
    for at, entries in sorted(blocks):
        end += 10
        opened.append((files[at], end, entries, tickets.add(files[at], end, entries)))
    answers = data.draw(st.permutations([ticket for _, _, entries, ticket in opened for _ in range(entries)]))
    open_entries = [entries for _, _, entries, _ in opened]
    for answer in answers[: data.draw(st.integers(0, len(answers)))]:
        tickets.settle(answer, 1)
        open_entries[next(at for at, (_, _, _, ticket) in enumerate(opened) if ticket is answer)] -= 1
        expected = dict.fromkeys(map(id, files), 0)
        for (file, end, _, _), still_open in zip(opened, open_entries, strict=True):
            if still_open:
                break
            expected[id(file)] = end
        assert [file.committed for file in files] == list(expected.values())


def test_a_block_without_entries_moves_its_file_at_once() -> None:
    file, tickets = File(), Tickets(OWNER)
    tickets.add(file, 100, 0)
    assert (file.committed, len(tickets)) == (100, 0)


def test_a_block_without_entries_waits_for_those_before() -> None:
    first, second, tickets = File(), File(), Tickets(OWNER)
    ticket = tickets.add(first, 100, 1)
    assert tickets.add(first, 200, 0) is ticket
    tickets.add(second, 10, 0)
    assert (first.committed, second.committed) == (0, 0)
    assert tickets.settle(ticket, 1)
    assert (first.committed, second.committed) == (200, 10)


def test_a_ticket_is_settled_with_its_last_entry() -> None:
    file, tickets = File(), Tickets(OWNER)
    ticket = tickets.add(file, 100, 3)
    assert not tickets.settle(ticket, 2)
    assert file.committed == 0
    assert tickets.settle(ticket, 1)
    assert file.committed == 100
