"""Prints the numbers of `numbers_are_torchvisions` in `crates/model/src/prepare.rs`: how published code prepares an image.

Run with the Python of `tests/parity/make`.
"""
import numpy as np, torch, torchvision, torchxrayvision as xrv
import torchvision.transforms.v2.functional as F
W,H=53,37
y,x=np.mgrid[0:H,0:W]
im=(((x*7+y*13)%31)*8).astype(np.float32)
t=torch.from_numpy(im)[None]
def show(n,a):
    a=np.asarray(a,dtype=np.float64).reshape(-1); k=len(a)
    idx=[0,1,k//7,k//3,k//2,k*2//3,k-2,k-1]
    print(n,k,[float(f'{a[i]:.6g}') for i in idx])
mean,std=[.485,.456,.406],[.229,.224,.225]
r=F.resize(t/255,[24],antialias=True); c=F.center_crop(r,[16,20]); 
show('classifier',(F.normalize(c.expand(3,-1,-1),mean,std)).numpy()); print(r.shape)
# xrv
z=xrv.datasets.normalize(im,255)[None]; z=xrv.datasets.XRayCenterCrop()(z); show('xrv', F.resize(torch.from_numpy(z),[16,16],antialias=True).numpy()); print(z.shape)
from torchvision.models.detection.transform import GeneralizedRCNNTransform
g=GeneralizedRCNNTransform(45,60,mean,std).eval()
il,_=g([ (t/255).expand(3,-1,-1).clone() ]); show('detector',il.tensors.numpy()); print(il.tensors.shape, il.image_sizes)
# YOLOX
S=32; rr=min(S/H,S/W); rs=torch.nn.functional.interpolate(t[None],size=(int(H*rr),int(W*rr)),mode='bilinear',align_corners=False)[0]
p=torch.full((1,S,S),114.); p[:,:rs.shape[1],:rs.shape[2]]=rs; show('yolox',p.numpy()); print(rs.shape)
# plain shrink / enlarge antialias
show('down',F.resize(t,[11,29],antialias=True).numpy()); show('up',F.resize(t,[60,90],antialias=True).numpy())
