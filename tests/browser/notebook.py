"""A notebook open in JupyterLab, as a test drives it; and a lab in it, as a test looks at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, expect

from browser.jupyter import Jupyter

# `panel` is the open notebook, with its session started and its kernel at rest.
_PANEL = """
  const app = window.jupyterapp;
  await app.restored;
  let panel;
  const pause = () => new Promise((done) => setTimeout(done, 50));
  while (!(panel = [...app.shell.widgets('main')].find((w) => w.sessionContext && w.content?.widgets))) await pause();
  await panel.revealed;
  await panel.sessionContext.ready;
  const idle = async () => { while (panel.sessionContext.session?.kernel?.status !== 'idle') await pause(); };
"""
_OPEN = f"async () => {{ {_PANEL} await idle(); }}"
_RUN = f"async (code) => {{ {_PANEL} window.running = app.commands.execute(code); }}"
_IDLE = f"async () => {{ {_PANEL} await window.running; await idle(); }}"
_SAVE = f"async () => {{ {_PANEL} await panel.context.save(); }}"
_SHOW = f"""async (id) => {{ {_PANEL}
  const number = panel.content.widgets.findIndex((cell) => cell.model.id === id);
  panel.content.activeCellIndex = number;
  await panel.content.scrollToItem(number, "start");
  return number;
}}"""
_REWRITE = f"""async ([id, source]) => {{ {_PANEL}
  panel.content.widgets.find((cell) => cell.model.id === id).model.sharedModel.setSource(source);
}}"""
_START = f"""async (code) => {{ {_PANEL}
  const cell = (window.cell = {{ said: "" }});
  const future = panel.sessionContext.session.kernel.requestExecute({{ code, store_history: false }});
  cell.done = future.done;
  await new Promise((begun) => {{
    future.onIOPub = ({{ header, content }}) => {{
      if (header.msg_type === "execute_input") begun();
      if (header.msg_type === "stream") cell.said += content.text;
      if (header.msg_type === "execute_result") cell.said += content.data["text/plain"];
      if (header.msg_type === "error") cell.said += content.traceback.join("\\n");
    }};
  }});
}}"""
_FINISH = """async () => {
  const { content } = await window.cell.done;
  return { status: content.status, said: window.cell.said.trim() };
}"""


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook with these code cells."""
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    book.cells = [nbformat.v4.new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


def waiting_cell(condition: str) -> str:
    """Code that ends when `condition` has come about, and fails when it does not."""
    return (
        "import time\n"
        "patience = time.monotonic() + 30\n"
        f"while not ({condition}):\n"
        f"    assert time.monotonic() < patience, {condition!r} + ' did not come about'\n"
        "    time.sleep(0.01)\n"
        "print('it came')"
    )


class Notebook:
    """A notebook on the screen, with a live kernel."""

    def __init__(self, page: Page, jupyter: Jupyter, path: Path) -> None:
        self.page = page
        self.path = path
        page.goto(f"{jupyter.url}/lab/tree/{path.relative_to(jupyter.root).as_posix()}?reset")
        self.await_session()

    def await_session(self) -> None:
        """Wait for the page to be there, with the notebook and an idle kernel."""
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate(_OPEN)

    def run_all(self) -> None:
        """Run every cell and wait for the last one."""
        self.start_all()
        self.await_idle()

    def start_all(self) -> None:
        """Run every cell without waiting."""
        self.page.evaluate(_RUN, "notebook:run-all-cells")

    def await_idle(self) -> None:
        """Wait until the kernel has done what was started."""
        self.page.evaluate(_IDLE)

    def cell(self, id: str) -> Locator:
        """Scroll to a cell; answers with it."""
        number = self.page.evaluate(_SHOW, id)
        return self.page.locator(f'.jp-Cell[data-windowed-list-index="{number}"]')

    def source(self, id: str) -> str:
        """What is written in a cell of the saved notebook."""
        return next("".join(cell["source"]) for cell in self.save()["cells"] if cell["id"] == id)

    def rewrite(self, id: str, source: str) -> None:
        """Write something else into a cell, run it, and wait for the end."""
        self.cell(id)
        self.page.evaluate(_REWRITE, [id, source])
        self.run_cell(id)

    def run_cell(self, id: str) -> None:
        """Run one cell and wait for the end."""
        self.cell(id)
        self.page.evaluate(_RUN, "notebook:run-cell")
        self.await_idle()

    def kernel(self, code: str) -> str:
        """What the kernel prints when it runs `code`, which leaves no trace in the notebook."""
        self.start_in_kernel(code)
        return self.finish_in_kernel()

    def start_in_kernel(self, code: str) -> None:
        """Let the kernel begin with `code`, and come back while it is at it."""
        self.page.evaluate(_START, code)

    def finish_in_kernel(self) -> str:
        """Wait for what was started; answers with what it printed."""
        answer: dict[str, str] = self.page.evaluate(_FINISH)
        assert answer["status"] == "ok", answer["said"]
        return answer["said"]

    def value(self, expression: str) -> Any:
        """The value of an expression in the kernel, if JSON can say it."""
        return json.loads(self.kernel(f"import json\nprint(json.dumps({expression}))"))

    def await_in_kernel(self, condition: str) -> None:
        """Ask until an expression is true in the kernel, which is at rest in between and can hear the browser."""
        for _ in range(200):
            if self.value(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"asked 200 times, and it is still not so: {condition}")

    def save(self) -> dict[str, Any]:
        """Save the notebook; answers with what is in the file."""
        self.page.evaluate(_SAVE)
        saved: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return saved

    def await_in_file(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Save until the file is as wanted: the browser tells the notebook of new steps when it has time."""
        for _ in range(100):
            if is_so(self.save()):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"after 100 times the saved {self.path.name} is still not as wanted")

    def reload(self) -> None:
        """Load the page again; the kernel lives on."""
        self.page.reload()
        self.await_session()

    def errors(self) -> list[str]:
        """The text of every output that is an error or was written to stderr."""
        outputs = [output for cell in self.save()["cells"] for output in cell.get("outputs", [])]
        return [
            "\n".join(output.get("traceback", [])) or "".join(output.get("text", []))
            for output in outputs
            if output["output_type"] == "error" or output.get("name") == "stderr"
        ]

    def lab(self, number: int = 0) -> LabOnScreen:
        """The lab that appeared as the `number`th on the page."""
        lab = LabOnScreen(self.page.locator(".raft-lab[data-step]").nth(number))
        expect(lab.root).to_be_visible(timeout=60_000)
        return lab


class LabOnScreen:
    """One lab, as a person sees it."""

    def __init__(self, root: Locator) -> None:
        self.root = root

    @property
    def step(self) -> int:
        """The number of the step on screen."""
        return int(self.root.get_attribute("data-step") or -1)

    def expect_step(self, number: int) -> None:
        """Wait until this step is on screen."""
        expect(self.root).to_have_attribute("data-step", str(number))

    def press(self, name: str) -> None:
        """Press the button with this name."""
        self.root.get_by_role("button", name=name, exact=True).click()

    def press_step(self) -> int:
        """Let the next due thing happen, wait until the picture shows it, and answer with the number of that step."""
        before = self.step
        self.press("Step")
        expect(self.root).not_to_have_attribute("data-step", str(before))
        expect(self.root).not_to_have_attribute("data-asking", "true")  # the kernel has done it too
        return self.step

    def press_step_until_a_leader_shows(self, at_most: int = 100) -> str:
        """Press "Step" until a server leads; answers with its name."""
        for _ in range(at_most):
            self.press_step()
            if leaders := self.leaders():
                return leaders[0]
        raise AssertionError(f"no leader on screen after {at_most} steps")

    def leaders(self) -> list[str]:
        """The running servers that are painted as leaders."""
        found: list[str] = self.root.locator('[data-server][data-role="leader"]:not([data-crashed])').evaluate_all(
            "nodes => nodes.map((node) => node.dataset.server)"
        )
        return found

    def server(self, name: str) -> Locator:
        """A server on the ring."""
        return self.root.locator(f'[data-server="{name}"]')
