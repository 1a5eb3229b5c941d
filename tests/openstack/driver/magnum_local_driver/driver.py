"""A Magnum driver whose clusters need neither Heat nor Nova.

It follows the state machine of the upstream Heat driver (stable/2025.1,
magnum/drivers/heat/driver.py): node groups carry the stack status and reason,
the cluster's status is the default node groups' status, its reason is empty
on success and "<node group> failed, ..." on failure, the faults are the node
groups' reasons.  Security groups are made in Neutron with the names Heat
would give them ("<stack>-secgroup_kube_minion-<12 letters>"), and like Heat a
network of its own (always 10.0.0.0/24) with a port per node that has its
node's group; device_id stands for the Nova server (a device_owner compute:*
may be deleted by Nova alone, so it is another).  <dir>/nodes.json tells
the hook of the nodes.

Knobs, by cluster label (all strings):
  local_delay   seconds in CREATE_ and UPDATE_IN_PROGRESS (default [local_driver] delay)
  local_fail    "create", "update" or "delete"      (the operation ends *_FAILED)
  local_reason  text of the failure
  local_raise   "create": the driver itself raises  (conductor writes CREATE_FAILED)
  local_api     api_address of this cluster         (default [local_driver] api_address)
A file <clusters_dir>/<uuid>/api_address wins over all of these.
"""

import json
import os
import random
import shlex
import string
import subprocess
import uuid

from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import timeutils

from magnum.common import clients
from magnum.common import exception
from magnum.common import short_id
from magnum.common.x509 import operations as x509
from magnum.conductor.handlers.common import cert_manager
from magnum.drivers.common import driver
from magnum.objects import fields

LOG = logging.getLogger(__name__)
CONF = cfg.CONF
ST = fields.ClusterStatus

CONF.register_opts([
    cfg.StrOpt('api_address', default='https://127.0.0.1:6443'),
    cfg.FloatOpt('delay', default=2.0),
    cfg.StrOpt('clusters_dir', default=''),
    cfg.StrOpt('hook', default='',
               help='program called as: hook create|update|rotate|delete <dir>'),
    cfg.BoolOpt('security_groups', default=True),
    cfg.StrOpt('coe_version', default='v1.28.9'),
], group='local_driver')


def _label(cluster, key, default=None):
    return (cluster.labels or {}).get(key, default)


def _heat_id():
    return ''.join(random.choice(string.ascii_lowercase + string.digits)
                   for _ in range(12))


class LocalDriver(driver.Driver):

    @property
    def provides(self):
        return [{'server_type': 'vm', 'os': os_, 'coe': 'kubernetes'}
                for os_ in ('fedora-coreos', 'ubuntu')]

    # -- helpers ----------------------------------------------------------
    def _dir(self, cluster):
        base = CONF.local_driver.clusters_dir
        if not base:
            return None
        d = os.path.join(base, cluster.uuid)
        os.makedirs(d, mode=0o700, exist_ok=True)
        return d

    def _hook(self, action, cluster):
        if CONF.local_driver.hook:
            subprocess.run(shlex.split(CONF.local_driver.hook)
                           + [action, self._dir(cluster) or ''], check=True)

    def _api_address(self, cluster):
        d = self._dir(cluster)
        if d and os.path.exists(os.path.join(d, 'api_address')):
            with open(os.path.join(d, 'api_address')) as f:
                return f.read().strip()
        return _label(cluster, 'local_api') or CONF.local_driver.api_address

    def _export(self, context, cluster):
        """What a kube-apiserver for this cluster needs: its CA, key pair."""
        d = self._dir(cluster)
        if not d:
            return
        ca = cert_manager.get_cluster_ca_certificate(cluster, context)
        text = lambda b: b.decode() if isinstance(b, bytes) else b  # noqa
        with open(os.path.join(d, 'ca.crt'), 'w') as f:
            f.write(text(ca.get_certificate()))
        with open(os.open(os.path.join(d, 'ca.key'),
                          os.O_CREAT | os.O_WRONLY, 0o600), 'w') as f:
            f.write(text(ca.get_decrypted_private_key()))
        with open(os.path.join(d, 'cluster.json'), 'w') as f:
            json.dump({'uuid': cluster.uuid, 'name': cluster.name,
                       'stack_id': cluster.stack_id,
                       'labels': cluster.labels}, f)

    def _stack_name(self, cluster):
        ok = set(string.ascii_letters + string.digits + '-')
        name = cluster.name[:30].replace('_', '-').replace('.', '-')
        name = ''.join(filter(ok.__contains__, name))
        return ('%s-%s' % (name, short_id.generate_id())).lower()

    def _net(self, context):
        return clients.OpenStackClients(context).neutron()

    def _make_network(self, context, cluster, stack_name):
        if not CONF.local_driver.security_groups:
            return
        net = self._net(context)
        rules = {'master': [(22, 22), (6443, 6443), (30000, 32767)],
                 'minion': [(22, 22), (30000, 32767)]}
        groups = {}
        for role, ports in rules.items():
            sg = net.create_security_group(
                name='%s-secgroup_kube_%s-%s' % (stack_name, role, _heat_id()))
            groups[role] = sg.id
            for lo, hi in ports:
                net.create_security_group_rule(
                    security_group_id=sg.id, direction='ingress',
                    ethertype='IPv4', protocol='tcp',
                    port_range_min=lo, port_range_max=hi)
        network = net.create_network(
            name='%s-fixed_network-%s' % (stack_name, _heat_id()))
        net.create_subnet(network_id=network.id, ip_version=4,
                          cidr='10.0.0.0/24')
        self._write(cluster, 'network.json', {
            'stack': stack_name, 'groups': groups, 'network': network.id})
        self._make_ports(context, cluster)

    def _wanted_nodes(self, cluster):
        masters = sum(n.node_count for n in cluster.nodegroups
                      if n.role == 'master')
        workers = sum(n.node_count for n in cluster.nodegroups
                      if n.role != 'master')
        return ([('master', i, '10.0.0.%d' % (5 + i)) for i in range(masters)]
                + [('minion', i, '10.0.0.%d' % (10 + i))
                   for i in range(workers)])

    def _make_ports(self, context, cluster):
        """A port for each node there should be and is not; surplus ones go."""
        net, made = self._net(context), self._read(cluster, 'network.json')
        if made is None:
            return
        have = {p.fixed_ips[0]['ip_address']: p
                for p in net.ports(network_id=made['network'])
                if p.device_owner == 'local:node'}
        wanted, nodes = self._wanted_nodes(cluster), []
        for role, index, address in wanted:
            port = have.pop(address, None) or net.create_port(
                network_id=made['network'],
                name='%s-kube_%ss-%d-%s' % (made['stack'], role, index,
                                            _heat_id()),
                fixed_ips=[{'ip_address': address}],
                security_groups=[made['groups'][role]],
                device_id=str(uuid.uuid4()), device_owner='local:node')
            nodes.append({
                'name': '%s-%s-%d' % (made['stack'], 'master' if role ==
                                      'master' else 'node', index),
                'role': role, 'address': address, 'server': port.device_id})
        for port in have.values():
            net.delete_port(port)
        self._write(cluster, 'nodes.json', nodes)

    def _drop_network(self, context, cluster):
        made = self._read(cluster, 'network.json')
        if made is None:
            return
        net = self._net(context)
        for port in list(net.ports(network_id=made['network'])):
            net.delete_port(port)
        net.delete_network(made['network'])
        for sg in made['groups'].values():
            net.delete_security_group(sg)

    def _write(self, cluster, name, data):
        d = self._dir(cluster)
        with open(os.path.join(d, name + '.new'), 'w') as f:
            json.dump(data, f)
        os.rename(os.path.join(d, name + '.new'), os.path.join(d, name))

    def _read(self, cluster, name):
        try:
            with open(os.path.join(self._dir(cluster), name)) as f:
                return json.load(f)
        except FileNotFoundError:
            return None

    def _set(self, cluster, status, reason=None, only=None):
        for ng in cluster.nodegroups:
            if only is None or ng.uuid == only.uuid:
                ng.status = status
                ng.status_reason = reason
                ng.save()

    # -- driver interface -------------------------------------------------
    def create_cluster(self, context, cluster, cluster_create_timeout):
        if _label(cluster, 'local_raise') == 'create':
            raise exception.InvalidParameterValue(
                _label(cluster, 'local_reason', 'driver refused'))
        cluster.stack_id = str(uuid.uuid4())
        self._make_network(context, cluster, self._stack_name(cluster))
        self._export(context, cluster)
        self._hook('create', cluster)

    def update_cluster(self, context, cluster, scale_manager=None,
                       rollback=False):
        self._set(cluster, ST.UPDATE_IN_PROGRESS, only=cluster.default_ng_worker)

    def resize_cluster(self, context, cluster, resize_manager, node_count,
                       nodes_to_remove, nodegroup=None):
        self._make_ports(context, cluster)
        self._hook('update', cluster)

    def upgrade_cluster(self, context, cluster, cluster_template,
                        max_batch_size, nodegroup, scale_manager=None,
                        rollback=False):
        raise exception.NotSupported(
            operation='Upgrading a cluster of the local driver')

    def delete_cluster(self, context, cluster):
        self._set(cluster, ST.DELETE_IN_PROGRESS)
        try:
            self._drop_network(context, cluster)
        except Exception:
            LOG.exception('network of %s', cluster.uuid)
        self._hook('delete', cluster)

    def create_nodegroup(self, context, cluster, nodegroup):
        nodegroup.stack_id = str(uuid.uuid4())

    def update_nodegroup(self, context, cluster, nodegroup):
        nodegroup.save()

    def delete_nodegroup(self, context, cluster, nodegroup):
        nodegroup.status = ST.DELETE_IN_PROGRESS
        nodegroup.save()

    def create_federation(self, context, federation):
        raise NotImplementedError()

    update_federation = delete_federation = create_federation

    def rotate_ca_certificate(self, context, cluster):
        self._export(context, cluster)
        self._hook('rotate', cluster)

    def update_cluster_status(self, context, cluster, use_admin_ctx=False):
        """Called by the conductor's periodic task for *_IN_PROGRESS."""
        if cluster.stack_id is None and not cluster.status.startswith('DEL'):
            return
        action = cluster.status.split('_')[0]
        since = cluster.updated_at or cluster.created_at
        if since is not None:
            age = (timeutils.utcnow()
                   - since.replace(tzinfo=None)).total_seconds()
            delay = float(_label(cluster, 'local_delay',
                                 CONF.local_driver.delay))
            if age < delay and action != 'DELETE':
                return
        ngs = list(cluster.nodegroups)
        if _label(cluster, 'local_fail') == action.lower():
            reason = _label(
                cluster, 'local_reason',
                'Resource %s failed: ResourceInError: resources.kube_masters'
                '.resources[0].resources.kube-master: Went to status ERROR '
                'due to "Message: No valid host was found. , Code: 500"'
                % action)
            self._set(cluster, action + '_FAILED', reason)
            cluster.status = action + '_FAILED'
            cluster.status_reason = ', '.join('%s failed' % n.name
                                              for n in ngs)
        else:
            addresses = self._wanted_nodes(cluster)
            for ng in ngs:
                if ng.status == ST.DELETE_IN_PROGRESS and not ng.is_default:
                    ng.destroy()
                    continue
                ng.status = action + '_COMPLETE'
                ng.status_reason = 'Stack %s completed successfully' % action
                role = 'master' if ng.role == 'master' else 'minion'
                ng.node_addresses = [a for r, _, a in addresses if r == role]
                ng.save()
            cluster.status = action + '_COMPLETE'
            cluster.status_reason = None
            if action != 'DELETE':
                cluster.api_address = self._api_address(cluster)
                cluster.coe_version = _label(cluster, 'kube_tag',
                                             CONF.local_driver.coe_version)
                cluster.health_status = fields.ClusterHealthStatus.HEALTHY
                cluster.health_status_reason = {'api': 'ok'}
        cluster.save()
