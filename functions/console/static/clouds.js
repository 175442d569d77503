// Logins at registries of clouds, in place of a password. Pure.

const of = (type) => (it) => it.type === type;

/** As the API has it: a part has a `path` in the field, and is shown `when` others say so. */
export const CLOUD = {
  name: "credentials",
  label: "Log in by",
  help: "A cloud takes who this deployment is in place of a password, if its operator lets this namespace use that.",
  plain: true,
  parts: [
    {
      path: "type",
      label: "Login",
      kind: "select",
      options: [
        ["", "User name and password, or none"],
        ["ecr", "AWS: ECR"],
        ["google", "Google: Artifact Registry"],
        ["azure", "Azure: Container Registry"]
      ]
    },
    {
      path: "role_arn",
      label: "Role",
      placeholder: "arn:aws:iam::111122223333:role/pull",
      help: "Empty: the sync function's own.",
      when: of("ecr")
    },
    {
      path: "provider",
      label: "Workload identity provider",
      placeholder: "projects/NUMBER/locations/global/workloadIdentityPools/…",
      when: of("google")
    },
    {
      path: "service_account",
      label: "Service account",
      placeholder: "puller@project.iam.gserviceaccount.com",
      when: of("google")
    },
    { path: "tenant_id", label: "Directory (tenant)", when: of("azure") },
    { path: "client_id", label: "Application (client)", when: of("azure") }
  ]
};

/** Fields of whoever has a password. */
const BY_PASSWORD = [
  "external_registry_username", "external_registry_password", "forget_password", "username", "password", "no_password"
];

/** Hides the fields of a form that a cloud's login stands in for. */
export function besideCloud({ credentials }, { controls }) {
  for (const name of BY_PASSWORD) if (controls.has(name)) controls.get(name).element.hidden = Boolean(credentials);
}
