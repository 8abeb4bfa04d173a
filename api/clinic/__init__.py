"""The clinician's door: caseload, patient page, verdicts, injections, report."""
