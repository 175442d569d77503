// What screens are made of, in one place: each of them would name half of these modules, and most of their parts.

export * from "./api.js";
export * from "./dialog.js";
export * from "./element.js";
export * from "./form.js";
export * from "./growing.js";
export * from "./mirror-fields.js";
export * from "./parts.js";
export * from "./route.js";
export * from "./screen.js";
export * from "./session.js";
export * from "./text.js";
