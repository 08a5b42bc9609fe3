"""Shards and storage: the disk, the journal, memory, and the time of each process."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import figure, graph, page

RATE = "$__rate_interval"
COMMIT = f'sum by (le, instance) (rate(tapswitch_latency_seconds_bucket{{stage="commit"}}[{RATE}]))'
LAG = f"sum by (le, instance) (rate(tapswitch_event_loop_lag_seconds_bucket[{RATE}]))"


def shards() -> Dashboard:
    """Where to look when Noon says that commits or queues are slow."""
    return page(
        "shards", "Shards and storage", "The disk, the journal, and what each process takes of its machine.",
        figure(
            "Map used", "max(tapswitch_map_used_bytes / tapswitch_map_limit_bytes)", "percentunit",
            "Of the fullest shard. From 95 % on the switch is not ready, at 100 % every commit is refused: "
            "`map-nearly-full`.",
            {"orange": 0.8, "red": 0.95},
        ),
        figure(
            "Disk free", "min(tapswitch_disk_free_bytes)", "bytes",
            "For the data folder. Below 4 GiB make room; below 512 MiB the switch is not ready: `disk-nearly-full`.",
            {"orange": 512 * 2**20, "green": 4 * 2**30}, bad_below=True,
        ),
        figure(
            "Commits refused", "sum(increase(tapswitch_commits_refused_total[1h]))", "none",
            "In the last hour, for lack of space. Its requests were answered 91 store-full, and nothing was lost.",
            {"red": 1},
        ),
        figure(
            "Snapshot lag", "max(tapswitch_snapshot_lag_events / tapswitch_snapshot_lag_limit_events)", "percentunit",
            "How much a restart would replay, of what is allowed. A half is normal; at 100 % requests are refused: "
            "`snapshot-lag`.",
            {"orange": 0.75, "red": 0.95},
        ),
        figure(
            "Events a commit",
            "sum(rate(tapswitch_batch_events_sum[5m])) / sum(rate(tapswitch_batch_events_count[5m]))",
            "short",
            "Batches grow by themselves with load: that is what makes a busy switch cheap. Thousands for minutes: "
            "commits are slow or the load is too high.",
        ),
        figure(
            "Clock moved by", "max(abs(tapswitch_clock_jump_seconds))", "s",
            "Against the time since boot. Past an hour nothing is stamped any more: `clock-jump`.",
            {"orange": 60, "red": 3600},
        ),
        graph(
            "Commit time",
            {
                "p50 {{instance}}": f"histogram_quantile(0.5, {COMMIT})",
                "p99 {{instance}}": f"histogram_quantile(0.99, {COMMIT})",
            },
            "s",
            "One durable write of the journal. Some milliseconds on a sound disk. A step upwards: another program "
            "writes, or the disk is failing; `iostat -x 1` shows which device waits. See `commit-stalls`.",
            {"red": 0.25},
        ),
        graph(
            "The commit in flight",
            {"shard {{shard}}": "max by (shard) (tapswitch_commit_running_seconds)"},
            "s",
            "How long it has taken so far. A line that climbs is a disk that does not answer at all.",
            {"red": 1},
        ),
        graph(
            "Batch size",
            {
                "{{instance}}": f"sum by (instance) (rate(tapswitch_batch_events_sum[{RATE}]))"
                f" / sum by (instance) (rate(tapswitch_batch_events_count[{RATE}]))"
            },
            "short",
            "Events in a commit. It follows the load; if it grows while the load does not, commits have become slow.",
        ),
        graph(
            "Mailbox",
            {"shard {{shard}}": "max by (shard) (tapswitch_mailbox_requests)"},
            "short",
            "Requests that wait for their turn. Near zero even at noon; hundreds for a minute: `overloaded`.",
        ),
        graph(
            "Journal",
            {"shard {{shard}}": f"sum by (shard) (deriv(tapswitch_journal_position[{RATE}]))"},
            "short",
            "Events a second. Shards should differ little: accounts are spread evenly. One at zero at noon is away.",
        ),
        graph(
            "Snapshot lag",
            {"shard {{shard}}": "max by (shard) (tapswitch_snapshot_lag_events / tapswitch_snapshot_lag_limit_events)"},
            "percentunit",
            "It climbs to about a half and stays there. Above three quarters: `snapshot-lag`.",
            {"orange": 0.75},
        ),
        graph(
            "Map used, and in four weeks",
            {
                "shard {{shard}}": "max by (shard) (tapswitch_map_used_bytes / tapswitch_map_limit_bytes)",
                "shard {{shard}} in 4 weeks": "max by (shard) (predict_linear(tapswitch_map_used_bytes[1d], 28 * 86400)"
                " / tapswitch_map_limit_bytes)",
            },
            "percentunit",
            "The forecast goes on from the last 24 hours. Above 80 %: plan a larger `--map-size`, before it is urgent.",
            {"orange": 0.8, "red": 0.95},
        ),
        graph(
            "Actors in memory",
            {"shard {{shard}}": "sum by (shard) (tapswitch_active_actors)"},
            "short",
            "Accounts that were asked for since the start, up to a limit. Flat at the limit while the commit time is "
            "well is no trouble.",
        ),
        graph(
            "Event loop late by, p99",
            {"{{instance}}": f"histogram_quantile(0.99, {LAG})"},
            "s",
            "How long everything else waits for its turn on the core. Above 100 ms with processor at 100 %: "
            "`overloaded`. With a processor that is idle: the machine itself was stopped, look at its host.",
            {"red": 0.1},
        ),
        graph(
            "Processor",
            {"{{instance}}": f'rate(process_cpu_seconds_total{{job="tapswitch"}}[{RATE}])'},
            "percentunit",
            "Of one core; a process uses hardly more than one. Near 100 % at noon: spread the switch over more cores.",
            {"orange": 0.8},
        ),
        graph(
            "Memory",
            {"{{instance}}": 'process_resident_memory_bytes{job="tapswitch"}'},
            "bytes",
            "It grows with the accounts in memory, and with the pages of the map that were read, which the kernel "
            "takes back when it needs them.",
        ),
        graph(
            "Starts of processes, on Ray only",
            {"{{process}}": "sum by (process) (increase(tapswitch_process_restarts_total[10m]))"},
            "short",
            "Empty for a switch in one process. More than one in ten minutes: `process-lost`.",
            {"red": 1},
        ),
    )  # fmt: skip
