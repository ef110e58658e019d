// Says whether the package takes each of some deliveries: JSON of them in, JSON of booleans out.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const takes = ({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(takes)));
