"""What a screen reader says of a page and in which order: the browser's accessibility tree, read aloud."""

from typing import Any

from playwright.sync_api import Page

_SILENT = {"none", "generic", "InlineTextBox", "ListMarker", "LineBreak"}
NAMED = {"link", "button", "searchbox", "textbox", "combobox", "table", "navigation", "region", "image"}
"""Roles that mean nothing to somebody who is not told a name."""

IN_THE_WRONG_LANGUAGE = """() => {
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const text = texts.currentNode.data, language = texts.currentNode.parentElement.closest('[lang]').lang
    if (/[\\u3400-\\u9fff]/.test(text) && !language.startsWith('zh')) found.push(text)
  }
  return found
}"""
"""Chinese that an English voice would skip."""


def heard(page: Page) -> list[tuple[str, str]]:
    """(role, name) of all that is said, in the order of saying."""
    session = page.context.new_cdp_session(page)
    nodes: dict[str, dict[str, Any]] = {
        node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]
    }
    session.detach()
    found: list[tuple[str, str]] = []

    def walk(node: dict[str, Any]) -> None:
        role = node.get("role", {}).get("value", "")
        if not node.get("ignored") and role not in _SILENT:
            found.append((role, node.get("name", {}).get("value", "")))
        for child in node.get("childIds", ()):
            if child in nodes:
                walk(nodes[child])

    walk(next(node for node in nodes.values() if "parentId" not in node))
    return found
