"""Hard truth: checks whose verdict is truth, as plain functions and as steps; usable on anyone's data."""

STEPS: dict[str, str] = {
    "constraints": "zhiling.verification.constraints:Constraints",
    "same_facts": "zhiling.verification.same_facts:SameFacts",
    "spans": "zhiling.verification.spans:Spans",
}
