"""seed.py <auth url> <password> <state dir> <first port>"""
import sys

import openstack

AUTH, PW, STATE, P = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def connect(**kw):
    a = dict(auth_url=AUTH, username='admin', password=PW,
             project_name='admin', user_domain_name='Default',
             project_domain_name='Default')
    a.update(kw)
    return openstack.connect(auth=a, region_name='RegionOne',
                             identity_api_version='3')


c = connect()
ident = c.identity
if not ident.find_project('service'):
    service = ident.create_project(name='service', domain_id='default')
    roles = {r.name: r for r in ident.roles()}
    for name in ('glance', 'nova', 'neutron', 'magnum'):
        u = ident.create_user(name=name, password=PW, domain_id='default',
                              default_project_id=service.id)
        for r in ('admin', 'service'):
            if r in roles:
                ident.assign_project_role_to_user(service, u, roles[r])
    for stype, name, url in (
            ('image', 'glance', 'http://127.0.0.1:%d' % (P + 1)),
            ('compute', 'nova', 'http://127.0.0.1:%d/v2.1' % (P + 2)),
            ('network', 'neutron', 'http://127.0.0.1:%d' % (P + 3)),
            ('container-infra', 'magnum', 'http://127.0.0.1:%d/v1' % (P + 4))):
        s = ident.create_service(name=name, type=stype)
        for i in ('public', 'internal', 'admin'):
            ident.create_endpoint(service_id=s.id, interface=i, url=url,
                                  region_id='RegionOne')
    demo = ident.create_project(name='demo', domain_id='default')
    user = ident.create_user(name='demo', password=PW, domain_id='default',
                             default_project_id=demo.id)
    for r in ('member', 'reader'):
        ident.assign_project_role_to_user(demo, user, roles[r])

demo = ident.find_project('demo')
user = ident.find_user('demo')

# Nova: flavors;  Glance: an image record with os_distro;  Neutron: networks
c = connect()
for name, ram, vcpus, disk in (('m1.small', 2048, 1, 20),
                               ('m1.medium', 4096, 2, 40),
                               ('m1.large', 8192, 4, 80)):
    if not c.compute.find_flavor(name):
        c.compute.create_flavor(name=name, ram=ram, vcpus=vcpus, disk=disk)
for name, distro in (('fedora-coreos-40', 'fedora-coreos'),
                     ('ubuntu-2204-kube-v1.28', 'ubuntu')):
    c.image.create_image(name, data=b'not an image', disk_format='raw',
                         container_format='bare', visibility='public',
                         os_distro=distro, wait=True, timeout=30)
c.network.create_network(name='public', is_router_external=True,
                         provider_network_type='flat',
                         provider_physical_network='public')
d = connect(username='demo', project_name='demo')
net = d.network.create_network(name='private')
d.network.create_subnet(name='private-subnet', network_id=net.id,
                        ip_version=4, cidr='10.0.0.0/24')
d.compute.create_keypair(name='demo-key')
app = d.identity.create_application_credential(
    user.id, 'installer', secret='app-secret', unrestricted=True)
narrow = d.identity.create_application_credential(
    user.id, 'restricted', secret='app-secret')
# three templates: the usual one, one whose name is not unique
for name in ('rsp-template', 'twice', 'twice'):
    d.container_infrastructure_management.create_cluster_template(
        name=name, coe='kubernetes', image_id='fedora-coreos-40',
        keypair_id='demo-key', external_network_id='public',
        dns_nameserver='8.8.8.8', flavor_id='m1.small',
        master_flavor_id='m1.medium', docker_volume_size=10,
        network_driver='calico', is_floating_ip_enabled=True,
        is_master_lb_enabled=False, server_type='vm',
        labels={'kube_tag': 'v1.28.9-rancher1',
                'container_runtime': 'containerd'})
with open(STATE + '/openrc', 'w') as f:
    f.write('\n'.join('export %s=%s' % kv for kv in (
        ('OS_AUTH_URL', AUTH), ('OS_USERNAME', 'demo'), ('OS_PASSWORD', PW),
        ('OS_PROJECT_NAME', 'demo'), ('OS_USER_DOMAIN_NAME', 'Default'),
        ('OS_PROJECT_DOMAIN_NAME', 'Default'),
        ('OS_IDENTITY_API_VERSION', '3'), ('OS_REGION_NAME', 'RegionOne'),
    )) + '\n')
with open(STATE + '/clouds.yaml', 'w') as f:
    f.write('''clouds:
  demo:
    region_name: RegionOne
    identity_api_version: 3
    auth: {auth_url: "%(a)s", username: demo, password: %(p)s,
           project_name: demo, user_domain_name: Default, project_domain_name: Default}
  admin:
    region_name: RegionOne
    identity_api_version: 3
    auth: {auth_url: "%(a)s", username: admin, password: %(p)s,
           project_name: admin, user_domain_name: Default, project_domain_name: Default}
  appcred:
    region_name: RegionOne
    auth_type: v3applicationcredential
    auth: {auth_url: "%(a)s", application_credential_id: %(i)s,
           application_credential_secret: app-secret}
  restricted:
    region_name: RegionOne
    auth_type: v3applicationcredential
    auth: {auth_url: "%(a)s", application_credential_id: %(r)s,
           application_credential_secret: app-secret}
''' % {'a': AUTH, 'p': PW, 'i': app.id, 'r': narrow.id})
