"""The same rows, seed and threads: the same model, to the byte, the same numbers and decision."""

import subprocess

import pytest

from conftest import BIN
from test_train import rows  # noqa: F401


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("target, task", [("amount", "regression"), ("grade", "classification")])
def test_a_run_repeats_itself(rows, cli, definition, target, task, threads):  # noqa: F811
    others = {"amount", "answer", "truth", "grade", "strange"} - {target}
    made = []
    for copy in ("a", "b"):
        project = f"{target}_{threads}_{copy}"
        cli.ok("apply", definition(
            project=project, relation="public.t", target=target, task=task, key=["id"],
            exclude=sorted(others), search={"trials": 2}, threads=threads,
            hyperparams={"n_estimators": 40, "subsample": 0.7, "colsample_bytree": 0.7}))
        for _ in range(2):  # the second meets the first as the live model
            run_id = cli.ok("train", project, "--no-wait").out.split()[-1]
            subprocess.run([BIN / "pgboost-worker", "--run", run_id], env=rows.env, check=True,
                           capture_output=True, timeout=120)
        models = rows.sql(
            "SELECT m.sha256, m.encoder::text, m.hyperparams::text, m.golden::text, m.labels::text,"
            " m.metrics::text FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id"
            " WHERE p.name = %s ORDER BY m.id", project)
        ids = [item["id"] for item in
               sorted(cli.json("models", project)["items"], key=lambda item: item["id"])]
        decisions = [
            (ids.index(item["model_id"]), item["strategy"], item["refused"],
             item["reason"].replace(f"model {ids[0]}", "model A").replace(f"model {ids[1]}",
                                                                          "model B"))
            for item in cli.json("deployments", project)["items"]]
        assert len(models) == 2 and models[0] == models[1]
        assert len(decisions) == 2
        made.append((models, decisions))
    assert made[0] == made[1]
