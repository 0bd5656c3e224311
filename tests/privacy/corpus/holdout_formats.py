"""Hold-out cases in the shapes of public log collections: nothing in them may be changed."""

# ruff: noqa: E501 - a record is easier to read in one piece

from __future__ import annotations

from .case import block

CASES = block(
    "harmless.public_log",
    "log.body",
    # Hadoop, HPC, Thunderbird, Mac, Windows, Proxifier, HealthApp, PostgreSQL, Ceph, Envoy, Jenkins
    "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created MRAppMaster for application appattempt_1445144423722_0020_000001",
    "2015-10-18 18:01:53,447 INFO [AsyncDispatcher event handler] org.apache.hadoop.mapreduce.v2.app.job.impl.TaskAttemptImpl: attempt_1445144423722_0020_m_000003_0 TaskAttempt Transitioned from NEW to UNASSIGNED",
    '134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change: Component "alt0" is in the unavailable state (HWID=3180)',
    "2558120 node-70 action error 1084680778 1 risBoot (command 1916) Error: node-70 has no boot image",
    "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed for user root",
    "- 1131566479 2005.11.09 tbird-admin1 Nov 9 12:01:19 local@tbird-admin1 ib_sm.x[24904]: [ib_sm_sweep.c:1455]: No topology change",
    "Jul  1 09:00:55 calvisitor kernel[0]: IOThunderboltSwitch<0>(0x0)::listenerCallback - Thunderbolt HPD packet for route = 0x0 port = 11 unplug = 0",
    "Jul  1 09:02:26 host kernel[0]: en0: channel changed to 1",
    "2016-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack v6.1.7601.23505 with Core: C:\\Windows\\winsxs\\amd64_microsoft-windows-servicingstack_31bf3856ad364e35_6.1.7601.23505_none_681aa442f6fed7f0\\cbscore.dll",
    "2016-09-28 04:30:31, Info                  CSI    00000002@2016/9/28:04:30:31.149 CSI Transaction @0x47e9a0 initialized for deployment engine {d16d444c-56d8-11d5-882d-0080c847b195}",
    "[10.30 16:49:06] chrome.exe - proxy.example.org:5070 open through proxy proxy.example.org:5070 HTTPS",
    "20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579",
    "20171223-22:15:29:633|Step_StandReportReceiver|30002312|onReceive action: android.intent.action.SCREEN_ON",
    "LOG:  checkpoint starting: time\nLOG:  checkpoint complete: wrote 44 buffers (0.3%); 0 WAL file(s) added, 0 removed, 0 recycled; write=4.416 s, sync=0.008 s",
    'LOG:  automatic vacuum of table "app.public.sessions": index scans: 1',
    "pgmap v48211: 129 pgs: 129 active+clean; 1.2 GiB data, 3.6 GiB used",
    "[2024-03-07 08:15:00.123][1][info][upstream] [source/common/upstream/cluster_manager_impl.cc:240] cm init: all clusters initialized",
    "[Pipeline] { (Build)\n[Pipeline] sh\n+ make test",
    "##[group]Run actions/checkout@v4",
    "npm WARN deprecated har-validator@5.1.5: this library is no longer supported",
    'ts=2024-03-07T08:15:00.123Z caller=head.go:830 level=info component=tsdb msg="WAL segment loaded" segment=1234 maxSegment=1236',
    "[2024-03-07T08:15:00,123][INFO ][o.e.c.r.a.AllocationService] [node-1] Cluster health status changed from [YELLOW] to [GREEN]",
    'time="2024-03-07T08:15:00.123456789Z" level=info msg="shim disconnected" id=⟪$hex:64⟫ namespace=k8s.io',
    "vault: core: security barrier not initialized",
    "rabbit: accepting AMQP connection <0.1234.0>",
    "2024-03-07 08:15:00.123456 7f1b2c3d4e5f  0 log_channel(cluster) log [DBG] : 2.1f scrub ok",
)
