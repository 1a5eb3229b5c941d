"""api_server.py <create|update|rotate|delete|run|register> <cluster folder>

The hook of the Magnum driver: a real etcd and kube-apiserver for a cluster. Its client CA is the cluster's own, so the
certificates that Magnum signs are good there. Nodes are registered as a kubelet and a cloud provider would: ready, with
role, address and the id of their server. A cluster with the label local_api gets none; one with local_sandbox, whose value
is the state folder of a running sandbox, gets that sandbox: it comes back with the cluster's CA in place of its own.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import requests

CACHE = os.environ.get('RSP_INSTALL_CACHE') or os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'rsp-install')
TOOLS = pathlib.Path(os.environ.get('RSP_INSTALL_TOOLS') or os.path.join(CACHE, 'tools', 'current'))


def tool(name):
    return str(TOOLS / name)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def detached(command, log):
    out = open(log, 'ab')
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    return process.pid


def certificate(folder, name, subject, extensions=''):
    def path(end):
        return str(folder / (name + end))
    subprocess.run(['openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', path('.key'), '-out', path('.csr'),
                    '-subj', subject], check=True, capture_output=True)
    (folder / (name + '.ext')).write_text(extensions)
    subprocess.run(['openssl', 'x509', '-req', '-in', path('.csr'), '-CA', str(folder / 'ca.crt'), '-CAkey',
                    str(folder / 'ca.key'), '-set_serial', str(time.time_ns()), '-days', '30', '-out', path('.crt'),
                    '-extfile', path('.ext')], check=True, capture_output=True)


def labels(folder):
    return json.loads((folder / 'cluster.json').read_text()).get('labels', {})


def certify(folder):
    certificate(folder, 'server', '/CN=kube-apiserver',
                'subjectAltName=IP:127.0.0.1,IP:10.254.0.1,DNS:localhost,DNS:kubernetes.default.svc\n')
    certificate(folder, 'admin', '/O=system:masters/CN=kubelet-of-the-tests')


def create(folder):
    if 'local_api' in labels(folder):
        return
    if 'local_sandbox' in labels(folder):
        ports = json.loads((pathlib.Path(labels(folder)['local_sandbox']) / 'ports.json').read_text())
        (folder / 'api_address').write_text('https://127.0.0.1:%d' % ports['apiServer'])
        detached([sys.executable, __file__, 'sandbox', str(folder)], folder / 'hook.log')
        return
    port = free_port()
    (folder / 'api_address').write_text('https://127.0.0.1:%d' % port)
    detached([sys.executable, __file__, 'run', str(folder)], folder / 'hook.log')


def run(folder):
    port = int((folder / 'api_address').read_text().rsplit(':', 1)[1])
    certify(folder)
    subprocess.run(['openssl', 'genrsa', '-out', str(folder / 'sa.key'), '2048'], check=True, capture_output=True)
    client, peer = free_port(), free_port()
    pids = [detached([
        tool('etcd'), '--data-dir', str(folder / 'etcd'), '--unsafe-no-fsync',
        '--listen-client-urls', 'http://127.0.0.1:%d' % client, '--advertise-client-urls', 'http://127.0.0.1:%d' % client,
        '--listen-peer-urls', 'http://127.0.0.1:%d' % peer, '--initial-advertise-peer-urls', 'http://127.0.0.1:%d' % peer,
        '--initial-cluster', 'default=http://127.0.0.1:%d' % peer], folder / 'etcd.log')]
    pids.append(detached([
        tool('kube-apiserver'), '--etcd-servers=http://127.0.0.1:%d' % client, '--secure-port=%d' % port,
        '--bind-address=127.0.0.1', '--tls-cert-file=%s' % (folder / 'server.crt'),
        '--tls-private-key-file=%s' % (folder / 'server.key'), '--client-ca-file=%s' % (folder / 'ca.crt'),
        '--service-account-key-file=%s' % (folder / 'sa.key'),
        '--service-account-signing-key-file=%s' % (folder / 'sa.key'),
        '--service-account-issuer=https://kubernetes.default.svc', '--authorization-mode=RBAC',
        '--service-cluster-ip-range=10.254.0.0/16', '--disable-admission-plugins=StorageObjectInUseProtection', '--allow-privileged=true', '--profiling=false',
        '--cert-dir=%s' % (folder / 'certs')], folder / 'api.log'))
    (folder / 'pids').write_text('\n'.join(map(str, pids)))
    register(folder)


def sandbox(folder):
    """The sandbox comes back as the cluster: its data and ports stay, its certificates are the cluster's."""
    state = pathlib.Path(labels(folder)['local_sandbox'])
    program = os.environ['RSP_INSTALL_PROGRAM']
    subprocess.run([program, 'sandbox', 'down', '--keep', '--state', str(state)], check=True)
    certificates = state / 'certificates'
    for old in [*certificates.glob('*.crt'), *certificates.glob('*.key')]:
        if old.stem != 'service-accounts':
            old.unlink()
    subprocess.run(['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', str(folder / 'ca.key'), '-out',
                    str(certificates / 'ca.key')], check=True)
    (certificates / 'ca.crt').write_text((folder / 'ca.crt').read_text())
    subprocess.run([program, 'sandbox', 'up', '--state', str(state)], check=True)
    certificate(folder, 'admin', '/O=system:masters/CN=kubelet-of-the-tests')
    register(folder)


def register(folder):
    """Every node that there should be, and no other."""
    api = requests.Session()
    api.trust_env = False       # REQUESTS_CA_BUNDLE would win over the cluster's CA
    api.verify, api.cert = str(folder / 'ca.crt'), (str(folder / 'admin.crt'), str(folder / 'admin.key'))
    base = (folder / 'api_address').read_text()
    for _ in range(600):
        try:
            if api.get(base + '/readyz', timeout=5).status_code == 200:
                break
        except requests.RequestException:
            pass
        time.sleep(0.2)
    wanted = {node['name']: node for node in json.loads((folder / 'nodes.json').read_text())}
    there = {item['metadata']['name'] for item in api.get(base + '/api/v1/nodes').json()['items']}
    for name in there - wanted.keys():
        api.delete(base + '/api/v1/nodes/' + name)
    for name, node in wanted.items():
        if name in there:
            continue
        known = {'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64'}
        role = {'node-role.kubernetes.io/master': ''} if node['role'] == 'master' else {}
        spec = {'providerID': 'openstack:///' + node['server']}
        body = {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': name, 'labels': known | role}, 'spec': spec}
        api.post(base + '/api/v1/nodes', json=body).raise_for_status()
        room = {'cpu': '64', 'memory': '512Gi', 'pods': '1000', 'ephemeral-storage': '1Ti'}
        status = {'conditions': [{'type': 'Ready', 'status': 'True', 'reason': 'KubeletReady'}],
                  'capacity': room, 'allocatable': room,
                  'addresses': [{'type': 'InternalIP', 'address': node['address']}]}
        api.patch(base + '/api/v1/nodes/%s/status' % name, json={'status': status},
                  headers={'Content-Type': 'application/merge-patch+json'}).raise_for_status()


def update(folder):
    if (folder / 'pids').exists():
        detached([sys.executable, __file__, 'register', str(folder)], folder / 'hook.log')


def rotate(folder):
    """The cluster has a new CA: its API server sees for itself that its files are others."""
    if (folder / 'pids').exists():
        certify(folder)


def delete(folder):
    try:
        pids = (folder / 'pids').read_text().split()
    except FileNotFoundError:
        return
    for pid in reversed(pids):
        try:
            os.kill(int(pid), signal.SIGKILL)   # asked kindly, an API server waits for its etcd for ever
        except ProcessLookupError:
            pass
    (folder / 'pids').unlink()


if __name__ == '__main__':
    {'create': create, 'update': update, 'rotate': rotate, 'delete': delete, 'run': run,
     'register': register, 'sandbox': sandbox}[sys.argv[1]](pathlib.Path(sys.argv[2]))
