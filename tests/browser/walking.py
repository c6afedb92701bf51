"""What a student does in a lesson: answer a question, look at a lab, hand in an exercise."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from browser.jupyter import Jupyter
from browser.notebook import LabOnScreen, Notebook


class Lesson(Notebook):
    """A lesson that was run from top to bottom, and in which nothing went wrong."""

    def __init__(self, page: Page, jupyter: Jupyter, name: str) -> None:
        super().__init__(page, jupyter, jupyter.root / "lessons" / f"{name}.ipynb")
        self.run_all()
        assert self.errors() == []

    def lab_in(self, cell: str) -> LabOnScreen:
        """The lab below a cell."""
        root = self.cell(cell).locator(".raft-lab[data-step]")
        expect(root).to_be_visible(timeout=60_000)
        return LabOnScreen(root)

    def answer(self, cell: str, answer: str) -> Locator:
        """Choose an answer of the question in a cell; gives what is said to it."""
        quiz = self.cell(cell).locator(".raft-quiz")
        quiz.get_by_role("radio", name=answer).check()
        said = quiz.locator(".rq-feedback")
        expect(said).to_be_visible()
        return said

    def expect_wrong_and_right(self, cell: str, wrong: str, right: str) -> None:
        """A wrong answer is explained, and so is the right one."""
        expect(self.answer(cell, wrong)).to_contain_text("Not quite.")
        expect(self.answer(cell, right)).to_contain_text("Right.")

    def hand_in(self, cell: str, draft: str, solution: str) -> Locator:
        """Put `solution` in the place of `draft` in a cell and run it; gives the verdict on screen."""
        source = self.source(cell)
        assert source.count(draft) == 1
        self.rewrite(cell, source.replace(draft, solution))
        return self.cell(cell).locator(".jp-OutputArea-output").first
