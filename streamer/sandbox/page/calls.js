// How does the page call the sandbox?

export class Refused extends Error {}

async function answerOf(response) {
  const body = await response.json();
  if (response.ok) return body;
  throw new Refused(body.message ?? `the sandbox answered ${response.status}`);
}

/** The JSON of a GET under /sandbox. Throws Refused, or TypeError where nobody answers. */
export async function ask(call, query) {
  const words = new URLSearchParams(query);
  return answerOf(await fetch(`/sandbox/${call}?${words}`, { cache: "no-store" }));
}

/** The JSON of a POST under /sandbox. Throws like `ask`. */
export async function tell(call, body) {
  return answerOf(await fetch(`/sandbox/${call}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }));
}
