// What the page does, as text to paste elsewhere: Python, curl, the command line.
//
// None of them holds the token: Python and the command line read it from the data directory of this
// machine, or a key from the file that RESNAS_TOKEN_FILE names; curl is given it by the shell.

import { h } from "./dom.js";

/** Ways to fetch an architecture as ONNX without this page, `{title, text}` each. */
export function snippets({ origin, jobId, architectureId }) {
  return [
    { title: "Python", text: python(origin, jobId, architectureId) },
    { title: "curl", text: curl(origin, architectureId) },
    { title: "Command line", text: command(origin, architectureId) },
  ];
}

function python(origin, jobId, architectureId) {
  return `from pathlib import Path

from service.client import Client

with Client("${origin}") as client:
    front = client.front("${jobId}")
    for point in front.points:
        print(f"{point.gmacs:.4g} GMACs  {point.val_accuracy:.1%}")
    print(client.export("${architectureId}", "onnx", Path(".")))
`;
}

function curl(origin, architectureId) {
  return `# TOKEN: the content of the file \`token\` in the server's data directory, or an API key
url=${origin}/v1
auth="Authorization: Bearer $TOKEN"
answer=$(curl -fsS -H "$auth" -H 'Content-Type: application/json' \\
  -d '{"format": "onnx"}' "$url/architectures/${architectureId}/exports")
id=$(printf %s "$answer" | sed -E 's/^\\{"id": ?"([^"]*)".*/\\1/')
until curl -fsS -H "$auth" "$url/exports/$id" | grep -Eq '"state": ?"(succeeded|failed)"'; do sleep 1; done
curl -fsS -H "$auth" -OJ "$url/exports/$id/content"
`;
}

function command(origin, architectureId) {
  return `export RESNAS_URL=${origin}
resnas export ${architectureId} --format onnx -o .
`;
}

/** A text with a button that copies it. */
export function copyable({ title, text }) {
  const told = h("span", { class: "dim", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      told.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      told.textContent = "Selected; copy it with the keyboard";
    }
  };
  const code = h("code", null, text);
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Copy as ${title}`, on: { click: copy } }, "Copy");
  return h(
    "figure",
    { class: "snippet" },
    h("figcaption", null, h("span", null, title), told, button),
    h("pre", { tabindex: "0", "aria-label": title }, code),
  );
}
