// Robots as a choice, which can be added to.

import { call, get } from "./api.js";
import { prompt } from "./dialog.js";
import { robotsOf } from "./session.js";

/** The names of the robots of a namespace. */
export const robots = async (namespace) =>
  (await get(robotsOf(namespace), { token: false, permissions: false })).robots.map((it) => it.name);

/** Asks for a robot's name, and makes it. Its full name, or nothing. */
export const createRobot = (namespace) =>
  prompt(
    "Create a robot account",
    [
      { name: "name", label: "Name", required: true, help: `Its full name will be ${namespace}+name.` },
      { name: "description", label: "Description" }
    ],
    {
      task: async ({ name, description }) =>
        (await call("PUT", `${robotsOf(namespace)}/${encodeURIComponent(name)}`, { body: { description } })).name
    }
  );
