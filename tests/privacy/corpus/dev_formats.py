"""Development cases in the formats of files, dumps and public log collections."""

# ruff: noqa: E501 - a record is easier to read in one piece

from __future__ import annotations

from .case import block, gather

_LEAKS = gather(
    block(
        "password.manifest",
        "log.body",
        "⟪apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n⟫  password: ⟦$pw|b64⟧\n",
        "⟪env:\n- name: DB_HOST\n  value: db⟫\n- name: DB_PASSWORD\n  value: ⟦$pw:simple⟧\n",
        '"⟪Env⟫": ["PATH=/usr/bin", "POSTGRES_PASSWORD=⟦$pw:simple⟧", "⟪LANG=C.UTF-8⟫"]',
        '⟪[database]⟫\nuser = "app"\npassword = "⟦$pw:simple⟧"\n⟪port = 5432⟫\n',
        "⟪machine api.example.com⟫ login bot password ⟦$pw:simple⟧",
        '<⟪add key="Timeout" value="30"⟫/><add key="DbPassword" value="⟦$pw:simple⟧"/>',
        '------x\r\n⟪Content-Disposition: form-data⟫; name="password"\r\n\r\n⟦$pw:simple⟧\r\n------x--',
        '<input type="password" ⟪name="pw"⟫ value="⟦$pw:simple⟧">',
        '⟪Environment=⟫"API_KEY=⟦$b62:32⟧"',
        '⟪location /api⟫ { proxy_set_header Authorization "Bearer ⟦$b62:40⟧"; }',
        '⟪resource "aws_db_instance" "db" {⟫ password = "⟦$pw:simple⟧" }',
        "⟪Login⟫(user=ada, password=⟦$pw:simple⟧)",
        "⟪&{Host:db⟫ User:app Password:⟦$pw:simple⟧ ⟪Port:5432}⟫",
        '⟪Login {⟫ user: "x", password: "⟦$pw:simple⟧" }',
        "⟪stdClass Object\n(\n⟫    [password] => ⟦$pw:simple⟧\n    [⟪remember⟫] => 1\n)",
        times=2,
    ),
    block(
        "email.format",
        "log.body",
        "⟪BEGIN:VCARD⟫\nEMAIL;TYPE=work:⟦$email⟧\nEND:VCARD",
        '⟪<td>3</td>⟫<td><a href="mailto:⟦$email⟧">mail</a></td>',
        '⟪msg_id:7⟫ recipient { address: "⟦$email⟧" }',
        "⟪dn: uid=7,ou=people⟫\nmail: ⟦$email⟧\n",
        "⟪7\tpro\t⟫⟦$email⟧\t⟪2024-05-01⟫",
        "⟪EventData⟫ <Data Name='TargetUser'>⟦$email⟧</Data>",
        "⟪INFO⟫  [main] o.a.MailService - ⟪sent to⟫ ⟦$email⟧ ⟪(3 ms)⟫",
        '⟪I0501 10:11:12.123456       1 invite.go:88] "Invited"⟫ user="⟦$email⟧"',
        '⟪RBAC: user⟫ "⟦$email⟧" ⟪cannot list resource "pods"⟫',
        "⟪Subject:⟫ CN=⟦$email⟧,⟪O=Example⟫",
        times=2,
    ),
    block(
        "email.wrapped",
        "log.body",
        '⟪payload=⟫⟦{"email":"kim.lee@example.com"}|b64⟧',
        "⟪cursor=⟫⟦user:kim.lee@example.net|b64⟧",
        core=False,
    ),
    block(
        "ip.format",
        "log.body",
        "⟪level=info ts=2024-05-01T10:11:12Z msg=accepted⟫ peer_addr=⟦$ip4⟧:40112",
        '⟪{"kind":"Event","verb":"list",⟫"sourceIPs":["⟦$ip4⟧"],"⟪stage⟫":"ResponseComplete"}',
        "⟪%ASA-6-302013: Built inbound TCP connection 7 for outside:⟫⟦$ip4⟧/443",
        times=2,
        core=False,
    ),
    block(
        "card.format",
        "log.body",
        "⟪POST /charge⟫\r\n\r\nnumber=⟦$card:-plain⟧&⟪exp_month⟫=12&cvc=⟦737⟧",
        "⟪Payment[amount=12,⟫ cardNumber=⟦$card:-plain⟧, ⟪status=NEW]⟫",
        '⟪"7","EUR",⟫"⟦$card:-space⟧"',
        times=2,
    ),
)

_PUBLIC = block(
    "harmless.public_log",
    "log.body",
    # HDFS, Spark, ZooKeeper, BGL, OpenStack, Android, Apache, Linux
    "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 terminating",
    "081109 204005 35 INFO dfs.FSNamesystem: BLOCK* NameSystem.allocateBlock: /mnt/hadoop/mapred/system/job_200811092030_0001/job.jar. blk_-1608999687919862906",
    "17/06/09 20:10:41 INFO storage.MemoryStore: Block broadcast_8 stored as values in memory (estimated size 384.1 KB, free 317.5 KB)",
    "17/06/09 20:10:45 INFO executor.Executor: Running task 3.0 in stage 0.0 (TID 3)",
    "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - Notification time out: 3200",
    "2015-07-29 19:04:12,394 - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@679] - Interrupted while waiting for message on queue",
    "2015-08-07 07:27:45,582 - INFO  [CommitProcessor:3:ZooKeeperServer@595] - Established session 0x34f05578bd80001 with negotiated timeout 10000",
    "1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 RAS KERNEL INFO instruction cache parity error corrected",
    "1118536327 2005.06.11 R30-M0-N9-C:J16-U01 2005-06-11-17.32.07.581048 RAS KERNEL FATAL data TLB error interrupt",
    "2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [req-3ea4052c-895d-4b64-9e2d-04d64c4d94ab - - - - -] [instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] VM Started (Lifecycle Event)",
    "03-17 16:13:38.811  1702  2395 D WindowManager: printFreezingDisplayLogsopening app wtoken = AppWindowToken{9f4ef63 token=Token{a64f992 ActivityRecord{de9231d u0 com.tencent.qt.qtl/.activity.info.NewsDetailXmlActivity t761}}}, allDrawn= false",
    '03-17 16:13:38.936  1702 14638 D PowerManagerService: acquire lock=189667585, flags=0x0, tag="*launch*", name=android, ws=WorkSource{10113}, uid=1000, pid=1702',
    "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/httpd/conf/workers2.properties",
    "[Sun Dec 04 04:51:08 2005] [notice] jk2_init() Found child 6725 in scoreboard slot 10",
    "Jun  9 06:06:20 combo syslogd 1.4.1: restart.",
    "Jul 27 14:41:59 combo kernel: PCI: Probing PCI hardware (bus 00)",
    "Jul 27 14:41:59 combo kernel: Memory: 125312k/129720k available (1540k kernel code, 3860k reserved)",
    "Jul 27 14:41:57 combo kernel: BIOS-e820: 0000000000000000 - 00000000000a0000 (usable)",
    "kernel: CPU: L1 I cache: 16K, L1 D cache: 16K",
    "[  123.456789] usb 1-1: new high-speed USB device number 4 using xhci_hcd",
    "[    0.000000] Linux version 5.15.0-91-generic (gcc 11.4.0) #101-Ubuntu SMP",
    '2024-05-01T10:11:12.123456+00:00 node-3 kubelet[812]: E0501 10:11:12.123456 812 pod_workers.go:1300] "Error syncing pod, skipping" podUID="⟪$uuid⟫"',
    'etcd: {"level":"info","ts":"2024-05-01T10:11:12.123Z","caller":"mvcc/kvstore_compaction.go:66","msg":"finished scheduled compaction","compact-revision":48213077}',
    "[GC (Allocation Failure) [PSYoungGen: 524800K->12345K(611840K)] 524800K->12353K(2010112K), 0.0123456 secs]",
    "#011at org.apache.hadoop.hdfs.server.datanode.DataXceiver.run(DataXceiver.java:103)",
    "WARN  [2024-05-01 10:11:12,123] [ReadStage-3] ReadCommand.java:569 - Read 1000 live rows and 1234 tombstone cells",
)

CASES = gather(_LEAKS, _PUBLIC)
