// What does an app see that calls the platform through its SDK? Steps come as JSON on standard
// input, what the SDK gave or threw goes out as JSON, with what went over the wire. Only the base
// URL is another than the SDK's own.

import { AppStrategy, createClient } from "@wix/sdk";
import { activations } from "@wix/automations";

const PLATFORM = "https://www.wixapis.com";
const [sandbox] = process.argv.slice(2);
const steps = JSON.parse(await new Response(process.stdin).text());
const plainFetch = globalThis.fetch;
let sent = [];

globalThis.fetch = async (url, options = {}) => {
  if (!String(url).startsWith(`${PLATFORM}/`)) throw new Error(`the SDK asked for ${url}`);
  const path = String(url).slice(PLATFORM.length);
  const { Authorization: authorization, ...headers } = options.headers;
  sent.push({ path, body: options.body, authorization, headers });
  return plainFetch(sandbox + path, options);
};

function clientOf({ app, secret, instance }) {
  const auth = AppStrategy({ appId: app, appSecret: secret, instanceId: instance });
  return createClient({ auth, modules: { activations } });
}

const seen = (error) => ({
  message: error.message, status: error.status, requestId: error.requestId, code: error.code,
  details: error.details,
});

const outcomes = [];
let client;
for (const step of steps) {
  sent = [];
  if (step.client) {
    client = clientOf(step.client);
    continue;
  }
  if (step.admin) {
    const [call, body] = step.admin;
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await plainFetch(`${sandbox}/sandbox/${call}`, options);
    if (!answer.ok) throw new Error(await answer.text());
    continue;
  }
  const [call, ...given] = step.call;
  const of = call in client.auth ? client.auth : client.activations;
  const outcome = {};
  try {
    outcome.value = (await of[call](...given)) ?? null;
  } catch (error) {
    outcome.error = seen(error);
  }
  outcomes.push({ ...outcome, sent });
}
console.log(JSON.stringify(outcomes));
