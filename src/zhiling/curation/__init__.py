"""Curation steps, one file each: measures, decisions and rewrites over rows."""

STEPS: dict[str, str] = {
    "decontaminate": "zhiling.curation.decontaminate:Decontaminate",
    "exact_dedup": "zhiling.curation.exact_dedup:ExactDedup",
    "injection": "zhiling.curation.injection:Injection",
    "label_errors": "zhiling.curation.label_errors:LabelErrors",
    "language": "zhiling.curation.language:Language",
    "length": "zhiling.curation.length:Length",
    "near_dedup": "zhiling.curation.near_dedup:NearDedup",
    "pairing": "zhiling.curation.pairing:Pairing",
    "pattern": "zhiling.curation.pattern:Pattern",
    "redact": "zhiling.curation.redact:Redact",
    "sample": "zhiling.curation.sample:Sample",
    "select": "zhiling.curation.select:Select",
    "threshold": "zhiling.curation.threshold:Threshold",
    "truncated": "zhiling.curation.truncated:Truncated",
    "valid": "zhiling.curation.valid:Valid",
}
